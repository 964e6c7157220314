"""Numbers that decide about a score are found; tolerances, counts and oracles are left alone."""

from __future__ import annotations

import ast
import textwrap

import pytest

from autograder.build.metric import is_metric_test, typed_threshold

SCORE = """
data = hidden.lesions()
p = ask(predict, data.images, rng)
auc = metrics.roc_auc(data.labels.reveal(), p)
"""
REFUSED = {
    "a plain number": "assert auc >= 0.7",
    "the other way round": "assert 0.7 <= auc",
    "either end of a range": "assert 0.4 <= auc <= 1e-4",
    "a negative number": "assert auc > -0.6",
    "a whole number": "assert auc > 3",
    "a number with a name": "least = 0.7\nassert auc >= least",
    "a number from a tuple": "half, full = 0.6, 0.7\nassert auc >= full",
    "arithmetic of numbers": "assert auc >= 1 - 0.3",
    "a discount on a threshold": "assert auc >= 0.9 * hidden.AUC.reveal()",
    "a number on the score's side": "assert auc - 0.7 >= 0",
    "a number taken off a mean": "left = sum([auc]) / 3 - 0.7\nassert left >= 0",
    "a condition": "if auc < 0.7:\n    raise AssertionError('too low')",
    "a score that was rounded": "assert round(float(auc), 2) >= 0.7",
    "a mean of scores": (
        "aucs = []\nfor _ in range(3):\n    aucs.append(auc)\nassert sum(aucs) / 3 > 0.7"
    ),
    "a score of the reference's model with the student's weights": (
        "model = networks.Net()\nmodel.load_state_dict(coursekit.state_arrays(predict))\n"
        "found = training.ask(model, data.images)\n"
        "assert metrics.dice(found, data.masks.reveal()) > 0.9"
    ),
    "a score that hidden computes": (
        "parts = [np.asarray(x) for x in predict(data.images)]\n"
        "share = hidden.nearest_neighbour_accuracy(data, *parts)\nassert share <= 0.6"
    ),
    "a score in a function of the test": (
        "def error():\n    return np.abs(p - data.y.reveal()).mean()\nassert error() < 0.5"
    ),
}
ALLOWED = {
    "a threshold": "assert auc >= hidden.AUC.reveal()",
    "a threshold less a tolerance": "assert auc >= hidden.AUC.reveal() - 1e-9",
    "an exact answer": "assert abs(auc - metrics.other(data.labels.reveal(), p)) <= 1e-6",
    "a tolerance with a name": "near = 1e-4\nassert abs(auc - 0) < near",
    "equality": "assert auc == 0.5",
    "a unit": "width = auc / (2 * 1.96)\nassert width <= hidden.WIDEST.reveal()",
    "a mean": "mean = sum([auc]) / 3\nworse = mean - p[0]\nassert worse <= hidden.CLAIM.reveal()",
    "counting": "assert len(p) > 100 and p.shape[0] > 100",
    "an oracle that reveals nothing": "assert np.abs(p - oracle(data.images)).max() < 0.1",
    "the truth alone": "assert data.labels.reveal().mean() > 0.2",
    "an answer alone": "assert p.min() >= 0 and p.max() <= 1",
    "numbers inside calls and indices": "assert np.quantile(auc, 0.5) >= hidden.AUC.reveal()[1]",
}


def test_of(body: str) -> ast.FunctionDef:
    text = f"def test_it(predict):\n{textwrap.indent(SCORE + body, '    ')}\n"
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    return function


test_of.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_typed_thresholds_are_found(body: str) -> None:
    assert typed_threshold(test_of(body)) is not None


@pytest.mark.parametrize("body", ALLOWED.values(), ids=ALLOWED)
def test_other_numbers_are_left_alone(body: str) -> None:
    assert typed_threshold(test_of(body)) is None


def test_the_finding_tells_line_number_and_comparison() -> None:
    found = typed_threshold(test_of("assert auc >= 0.7"))
    assert found is not None
    assert (found.line, found.number, found.text) == (6, 0.7, "auc >= 0.7")


def test_a_metric_test_compares_a_score_with_what_was_revealed() -> None:
    assert is_metric_test(test_of("assert auc >= hidden.AUC.reveal()"))
    assert is_metric_test(test_of("least, _ = hidden.STEPS.reveal()\nassert auc >= least"))
    assert is_metric_test(test_of("most = hidden.RATE.reveal()\nassert p.mean() <= most"))
    counted = "found = sum(n for n in (1, 1) if p[n])\nassert found >= hidden.LEAST.reveal()"
    assert is_metric_test(test_of(counted))
    assert not is_metric_test(test_of("assert abs(auc - oracle(p)) <= 1e-6"))
    assert not is_metric_test(test_of("assert p.min() >= 0"))
