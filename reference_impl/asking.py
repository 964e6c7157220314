"""Asking a student's function for one answer a row, so that only the row can decide it.

Code that counts its calls, waits for all inputs before it answers, or looks at what else is in a
batch gives other answers here than code that answers each row by itself. :func:`ask` shuffles the
rows, asks in batches of many sizes, asks some rows again, and fails where answers disagree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["ask", "numbers"]

ALONE = 3
"""Rows that are also asked in a batch of their own, if there are so many."""

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


def ask(
    function: Callable[[Any], Any],
    inputs: Any,
    rng: np.random.Generator,
    *,
    each: Shape | None = None,
    repeats: float = 0.1,
    tolerance: float = 1e-4,
    largest: int = 256,
) -> Array:
    """The answers of ``function`` to ``inputs``, one a row, in the order of ``inputs``.

    Every row is asked once in a shuffled order. A share ``repeats`` of the rows, and one of each
    batch, is asked again in another batch, half of these twice in the first one too; up to three
    are also asked alone. Two answers ``a`` and ``b`` to one row agree if, value by value,
    ``|a - b| <= tolerance * max(1, |a|)``: batches of another size round otherwise.

    Args:
        function: Takes rows of ``inputs``, as an array or list of any length, and returns as many
            answers.
        inputs: A NumPy array or a tensor [N, ...], or a list of N things, such as graphs.
        rng: Decides order, sizes and repeats. The student's own: ``student_rng(purpose)``.
        each: Shape of one answer; the first batch's if not given.
        repeats: Share of the rows that are asked again, in [0, 1].
        tolerance: How far two answers to one row may differ, see above.
        largest: Rows of the largest batch before repeats are added.

    Returns:
        Real numbers or booleans [N, *each], finite, in the dtype they were given in.

    Raises:
        AssertionError: if a batch's answers are too few or too many, no numbers or not finite, or
            if two answers to one row differ.
    """
    asked: list[Array] = []
    answers: list[Array] = []
    for rows in _batches(len(inputs), rng, repeats, largest):
        found = numbers(function(_chosen(inputs, rows)), what=f"Asked about {len(rows)} rows")
        each = found.shape[1:] if each is None else each
        wanted = (len(rows), *each)
        assert found.shape == wanted, (
            f"Asked about {len(rows)} rows: expected answers of shape {wanted}, got {found.shape}."
        )
        asked.append(rows)
        answers.append(found)
    if not asked:
        return np.zeros((0, *(each or ())))
    return _agreed(np.concatenate(asked), np.concatenate(answers), tolerance)


def numbers(answer: Any, shape: Shape | None = None, what: str = "The answer") -> Array:
    """``answer`` as an array of finite real numbers or booleans.

    Args:
        answer: An array, a tensor, a number or nested lists of numbers.
        shape: What its shape must be; any if not given.
        what: Begins the sentence that says what is wrong.

    Raises:
        AssertionError: if it is none, has another shape, or holds a value that is not finite.
    """
    try:
        if isinstance(answer, torch.Tensor):
            answer = answer.detach().cpu()
            answer = answer.float() if answer.dtype is torch.bfloat16 else answer
        found = np.asarray(answer)
    except (TypeError, ValueError, RuntimeError) as error:
        raise AssertionError(f"{what}: expected an array of numbers ({error}).") from None
    assert found.dtype.kind in "biuf", f"{what}: expected real numbers, got {found.dtype}."
    if shape is not None:
        assert found.shape == shape, f"{what}: expected shape {shape}, got {found.shape}."
    assert np.isfinite(found).all(), f"{what}: got values that are not finite."
    return found


def _batches(
    count: int, rng: np.random.Generator, repeats: float, largest: int
) -> Iterator[npt.NDArray[np.int64]]:
    """Row numbers to ask together, every row at least once, in changing company."""
    parts = np.split(rng.permutation(count), _cuts(count, rng, largest))
    home = {row: number for number, part in enumerate(parts) for row in part}
    batches = [list(part) for part in parts]
    again = {*rng.choice(count, size=math.ceil(repeats * count), replace=False)}
    # Whichever call a function tells from the others, it has a row that is asked elsewhere too.
    again |= {part[0] for part in parts if len(part)}
    for place, row in enumerate(sorted(again)):
        step = int(rng.integers(1, len(batches))) if len(batches) > 1 else 0
        batches[(home[row] + step) % len(batches)].append(row)
        if place % 2:
            batches[home[row]].append(row)
    batches += [[row] for row in rng.choice(count, size=min(ALONE, count), replace=False)]
    for number in rng.permutation(len(batches)):
        if batches[number]:
            yield rng.permutation(np.array(batches[number], dtype=np.int64))


def _cuts(count: int, rng: np.random.Generator, largest: int) -> list[int]:
    """Where to cut ``count`` rows into batches of sizes drawn from 1 to ``largest``."""
    limit = max(1, min(largest, count // 3))
    cuts: list[int] = []
    while (cuts[-1] if cuts else 0) < count - limit:
        cuts.append((cuts[-1] if cuts else 0) + int(rng.integers(1, limit + 1)))
    return cuts


def _chosen(inputs: Any, rows: npt.NDArray[np.int64]) -> Any:
    if isinstance(inputs, Sequence):
        return [inputs[row] for row in rows]
    return inputs[torch.from_numpy(rows)] if isinstance(inputs, torch.Tensor) else inputs[rows]


def _agreed(rows: Array, answers: Array, tolerance: float) -> Array:
    """One answer for each row, of those that agree."""
    _, first, row_of = np.unique(rows, return_index=True, return_inverse=True)
    one = answers[first]
    expected, got = one.astype(np.float64)[row_of], answers.astype(np.float64)
    error = float((np.abs(got - expected) / np.maximum(1, np.abs(expected))).max(initial=0.0))
    assert error <= tolerance, (
        f"Asked again, in other company or at another time, a row gets another answer: they differ "
        f"by up to {error:.3g}, allowed {tolerance:.3g}. An answer may depend on its row alone."
    )
    return one
