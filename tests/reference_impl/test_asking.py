"""Honest answers come back in order; whatever looks beyond its row is found out."""

import numpy as np
import pytest
import torch

from reference_impl.asking import ask, numbers


def rows(count, width=3, seed=0):
    return np.random.default_rng(seed).random((count, width))


def total(x):
    return x.sum(axis=1)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 100, 1000])
@pytest.mark.parametrize("repeats", [0.0, 0.1, 1.0])
def test_honest_answers_come_back_in_order(count, repeats):
    x = rows(count)
    assert np.array_equal(ask(total, x, rng(), repeats=repeats), total(x))


@pytest.mark.parametrize(
    ("inputs", "function"),
    [
        (rows(50).astype(np.float32), total),
        (torch.from_numpy(rows(50)), lambda x: x.sum(dim=1).requires_grad_()),
        (torch.from_numpy(rows(50)), lambda x: x.sum(dim=1).to(torch.bfloat16)),
        (
            [{"nodes": list(range(n % 7))} for n in range(50)],
            lambda g: [len(x["nodes"]) for x in g],
        ),
        (tuple("ab" * n for n in range(50)), lambda words: [len(word) for word in words]),
        (rows(50), lambda x: x[:, 0] > 0.5),
        (rows(50), lambda x: [[float(a), float(b)] for a, b, _ in x]),
    ],
)
def test_arrays_tensors_and_lists_of_anything_are_asked_about(inputs, function):
    expected = function(inputs)
    expected = expected.detach().float() if isinstance(expected, torch.Tensor) else expected
    assert np.allclose(ask(function, inputs, rng()), np.asarray(expected))


def test_answers_may_have_any_shape_if_it_is_the_same_for_all():
    x = rows(60, 4)
    assert ask(lambda v: v.reshape(-1, 2, 2), x, rng(), each=(2, 2)).shape == (60, 2, 2)
    with pytest.raises(AssertionError, match=r"expected answers of shape \(\d+, 2, 2\), got"):
        ask(lambda v: v, x, rng(), each=(2, 2))


def asked_of(function=total, count=300, seed=0, **settings):
    """The batches that a function is asked about."""
    batches = []

    def note(x):
        batches.append(x[:, 0].astype(int).tolist())
        return function(x)

    x = rows(count)
    x[:, 0] = np.arange(count)
    ask(note, x, rng(seed), **settings)
    return batches


def test_every_row_is_asked_and_some_again_within_and_across_batches():
    batches = asked_of(repeats=0.2)
    flat = [row for batch in batches for row in batch]
    assert set(flat) == set(range(300)) and 300 + 60 + 30 + 3 <= len(flat) < 450
    doubled = [{row for row in batch if batch.count(row) > 1} for batch in batches]
    assert 30 <= sum(map(len, doubled)) <= 45
    for batch in batches:
        others = {row for other in batches if other is not batch for row in other}
        assert others & set(batch)


def test_batches_are_of_many_sizes_with_single_rows_and_none_too_large():
    sizes = [len(batch) for batch in asked_of(count=2000, largest=100)]
    assert sizes.count(1) >= 3 and len(set(sizes)) > 10
    assert max(sizes) <= 140
    assert min(len(asked_of(count=30)), len(asked_of(count=100))) >= 5


def test_the_generator_decides_order_and_company():
    assert asked_of(seed=1) == asked_of(seed=1) != asked_of(seed=2)
    assert all(batch != sorted(batch) for batch in asked_of() if len(batch) > 5)


class Counting:
    """Honest at the first call, a little off at all others."""

    calls = 0

    def __call__(self, x):
        self.calls += 1
        return total(x) + 0.01 * (self.calls > 1)


class Late:
    """Keeps what it was asked until a small batch comes, and then answers everything."""

    def __init__(self):
        self.waiting = []

    def __call__(self, x):
        self.waiting.append(total(x))
        if len(x) > 20:
            return np.zeros(0)
        answers, self.waiting = np.concatenate(self.waiting), []
        return answers


class OneBehind:
    """Answers what it was asked the time before."""

    before = np.zeros(0)

    def __call__(self, x):
        self.before, answers = total(x), self.before
        return np.resize(answers, len(x)) if len(answers) else np.zeros(len(x))


PEEKING = {
    "counts calls": Counting,
    "one batch behind": OneBehind,
    "normalises by the batch": lambda: (
        lambda x: (total(x) - total(x).mean()) / (total(x).std() + 1)
    ),
    "ranks within the batch": lambda: lambda x: total(x).argsort().argsort() / len(x),
    "its place in the batch": lambda: lambda x: total(x) + np.arange(len(x)) / len(x),
    "sorts": lambda: lambda x: np.sort(total(x)),
    "size of the batch": lambda: lambda x: total(x) + 1e-3 * len(x),
    "marks duplicates": lambda: lambda x: total(x) + [(total(x) == t).sum() for t in total(x)],
    "random": lambda: lambda x: np.random.default_rng().random(len(x)),
    "lies about single rows": lambda: lambda x: total(x) + (len(x) == 1),
}


@pytest.mark.parametrize("how", PEEKING)
@pytest.mark.parametrize("seed", range(5))
def test_an_answer_that_depends_on_more_than_its_row_is_found(how, seed):
    with pytest.raises(AssertionError, match="An answer may depend on its row alone"):
        ask(PEEKING[how](), rows(200), rng(seed))


MISSHAPEN = {
    "late": (Late, r"expected answers of shape"),
    "short": (lambda: lambda x: total(x)[:-1], r"expected answers of shape \((\d+),\), got"),
    "long": (lambda: lambda x: np.append(total(x), 0), "expected answers of shape"),
    "one number": (lambda: lambda x: 0.5, r"got \(\)"),
    "a column": (lambda: lambda x: total(x)[:, None], r"got \((\d+), 1\)"),
    "none": (lambda: lambda x: None, "expected real numbers, got object"),
    "text": (lambda: lambda x: ["0.5"] * len(x), "expected real numbers, got <U3"),
    "complex": (lambda: lambda x: total(x) + 0j, "expected real numbers, got complex128"),
    "ragged": (lambda: lambda x: [[0.0] * (i % 3) for i in range(len(x))], "array of numbers"),
    "nan": (lambda: lambda x: np.full(len(x), np.nan), "not finite"),
    "one nan": (lambda: lambda x: np.where(total(x) > 2, np.nan, 1.0), "not finite"),
    "infinity": (lambda: lambda x: total(x) * np.inf, "not finite"),
}


@pytest.mark.parametrize("what", MISSHAPEN)
def test_what_is_no_answer_for_each_row_fails_with_an_assertion(what):
    make, text = MISSHAPEN[what]
    with pytest.raises(AssertionError, match=text):
        ask(make(), rows(200), rng(), each=())


def test_an_error_of_the_function_is_passed_on():
    with pytest.raises(ZeroDivisionError):
        ask(lambda x: 1 // 0, rows(5), rng())


def test_the_tolerance_is_absolute_below_one_and_relative_above():
    def noisy(scale, error):
        flip = iter([1, -1] * 1000)
        return lambda x: scale * (1 + 0 * total(x)) + next(flip) * error

    for scale, error in ((1e-3, 4e-5), (1.0, 4e-5), (1e3, 4e-2)):
        ask(noisy(scale, error), rows(100), rng(), repeats=1.0)
        with pytest.raises(AssertionError, match=r"allowed 0\.0001"):
            ask(noisy(scale, 2 * error), rows(100), rng(), repeats=1.0)


def test_one_huge_answer_does_not_excuse_the_others():
    def answer(x):
        return np.where(x[:, 0] == 0, 1e12, np.arange(len(x)))

    x = rows(100)
    x[0, 0] = 0
    with pytest.raises(AssertionError, match="on its row alone"):
        ask(answer, x, rng())


def test_numbers_are_finite_real_and_of_the_shape_asked_for():
    assert numbers([[1, 2]], (1, 2)).tolist() == [[1, 2]]
    for answer, text in (
        ([1.0, np.nan], "A mean: got values that are not finite"),
        ([1.0], r"A mean: expected shape \(2,\), got \(1,\)"),
        (object(), "A mean: expected real numbers, got object"),
    ):
        with pytest.raises(AssertionError, match=text):
            numbers(answer, (2,), "A mean")
