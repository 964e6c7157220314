"""What the calibrations of all assignments share: hidden sets of several secrets, and printing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

__all__ = ["for_secrets", "show"]

Drawn = TypeVar("Drawn")


def for_secrets(draw: Callable[[], Drawn], count: int) -> list[Drawn]:
    """What ``draw`` gives under ``count`` course secrets: a threshold must hold for all of them."""
    sets = []
    for number in range(count):
        with _secret(number):
            sets.append(draw())
    return sets


@contextmanager
def _secret(number: int) -> Iterator[None]:
    before = os.environ.get("AUTOGRADER_SECRET")
    os.environ["AUTOGRADER_SECRET"] = f"calibration {number}"
    try:
        yield
    finally:
        os.environ.pop("AUTOGRADER_SECRET")
        if before is not None:
            os.environ["AUTOGRADER_SECRET"] = before


def show(name: str, values: Any) -> None:
    """Print a sample's mean, spread, extremes, and mean -+ 3.06 standard deviations.

    3.06 is the factor of the one-sided tolerance bound of a normal sample of 30 for a content of
    0.99 and a confidence of 0.95 (a quantile of the noncentral t distribution over the root of the
    number): of fewer values the bound is wider.
    """
    x = np.ravel(values)
    spread = x.std(ddof=1) if len(x) > 1 else float("nan")
    low, high = x.mean() - 3.06 * spread, x.mean() + 3.06 * spread
    print(
        f"{name}: {x.mean():.4f} sd {spread:.4f} n={len(x)} range {x.min():.4f} to {x.max():.4f}, "
        f"mean -+ 3.06 sd {low:.4f} {high:.4f}",
        flush=True,
    )
