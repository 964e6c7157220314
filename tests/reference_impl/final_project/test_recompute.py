import copy
import json
from pathlib import Path
from typing import Any

import pytest

from reference_impl.final_project import recompute

SAMPLE = Path(__file__).parents[3] / "solutions" / "final_project"


def read(name: str) -> Any:
    return json.loads((SAMPLE / name).read_text("utf-8"))


@pytest.fixture
def sample(kit: Any) -> Any:
    split = kit.read_split(SAMPLE / "split.csv")
    predictions = kit.read_predictions(SAMPLE / "predictions.csv")
    return recompute.test_part("solubility", split), read("results.json"), predictions


def test_the_sample_project_claims_nothing_false(sample: Any) -> None:
    part, results, predictions = sample
    card = read("model_card.json")
    assert recompute.runs(part, results, predictions) == []
    assert recompute.model_spread(part, results, predictions) == []
    assert recompute.comparison(part, results, predictions) == []
    names = results["subgroups"]
    assert recompute.subgroups(part, card["subgroups"], names, results, predictions) == []
    report = (SAMPLE / "report.md").read_text("utf-8")
    assert recompute.traced(report, {"results": results}) == []


@pytest.mark.parametrize(
    ("path", "check", "told"),
    [
        (("runs", 1, "value"), "runs", "run ridge: claimed"),
        (("runs", 1, "n"), "runs", "run ridge: claimed n ="),
        (("model", "mean"), "model_spread", "mean: claimed"),
        (("model", "sd"), "model_spread", "sd: claimed"),
        (("comparison", "difference"), "comparison", "difference: claimed"),
        (("comparison", "high"), "comparison", "high: claimed"),
    ],
)
def test_a_number_that_is_off_is_named(sample: Any, path: Any, check: str, told: str) -> None:
    part, results, predictions = sample
    results = copy.deepcopy(results)
    place = results
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] += 1
    assert any(
        one.startswith(told) for one in getattr(recompute, check)(part, results, predictions)
    )


def test_predictions_of_other_rows_are_refused(sample: Any) -> None:
    part, _, predictions = sample
    fewer = dict(list(predictions["ridge"].items())[1:])
    with pytest.raises(AssertionError, match="1 are missing"):
        part.values({"ridge": fewer}, "ridge")
    with pytest.raises(AssertionError, match="no run 'forest'"):
        part.values(predictions, "forest")


def test_one_seed_called_three_is_told(sample: Any) -> None:
    part, results, predictions = sample
    for run in results["runs"]:
        run["seed"] = 0
    assert recompute.model_spread(part, results, predictions) == [
        "the model's runs do not have a seed each"
    ]


def test_a_deviation_counts_unless_it_is_declared(sample: Any) -> None:
    _, results, _ = sample
    prereg = read("prereg.json")
    assert recompute.deviated(prereg, prereg, results, None) == []
    changed = results | {"split_rule": "another rule than the registered one"}
    assert recompute.deviated(prereg, prereg, changed, None) == ["split_rule"]
    told = {"deviations": [{"what": "split_rule", "why": "because of what we saw in the data"}]}
    assert recompute.deviated(prereg, prereg, changed, told) == []
    rewritten = prereg | {"question": "Another question than the one that was registered?"}
    assert recompute.deviated(prereg, rewritten, results, None) == ["question"]
    results["comparison"]["baseline"] = "mean"
    assert recompute.deviated(prereg, prereg, results, None) == ["baseline"]


@pytest.mark.parametrize(
    ("row", "fine"),
    [
        ("| net | 0.79 ± 0.02 | `results.model` |", True),
        ("| net | 0.78 ± 0.02 | `results.model` |", False),
        ("| net | 0.787 | |", False),
        ("| net | 0.787 | `results.modal` |", False),
        ("| 3 seeds | text | |", True),
        ("| gain | −0.1 | `results.gain` |", True),
    ],
)
def test_numbers_in_tables_need_their_key(kit: Any, row: str, fine: bool) -> None:
    files = {"results": {"model": {"mean": 0.787, "sd": 0.0193}, "gain": -0.1}}
    report = f"| what | value | key |\n|---|---|---|\n{row}\n"
    assert (recompute.traced(report, files) == []) is fine
