"""The distribution of scores as numbers, laid out for an SVG drawing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from autograder.model import Standing, Verdict

BINS = 10
WIDTH, HEIGHT = 640, 200
"""Of the area of the bars, in the drawing's units."""


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One class of the histogram."""

    label: str
    """E.g. ``"70–79 %"``."""
    count: int
    x: float
    y: float
    width: float
    height: float


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """The share of points that students reached, in classes of ten percent."""

    bars: list[Bar]
    ticks: list[tuple[int, float]]
    """Counts on the vertical axis and where they are."""
    description: str


def histogram(verdicts: Sequence[Verdict]) -> Histogram:
    """Count the graded submissions by share of the points reached."""
    shares = [
        verdict.score / verdict.possible
        for verdict in verdicts
        if verdict.status is Standing.GRADED and verdict.possible > 0
    ]
    counts = [0] * BINS
    for share in shares:
        counts[min(BINS - 1, max(0, int(share * BINS + 1e-9)))] += 1
    top = _round_up(max(counts, default=0))
    return Histogram(
        bars=[_bar(index, count, top) for index, count in enumerate(counts)],
        ticks=[
            (tick, HEIGHT - HEIGHT * tick / top) for tick in range(0, top + 1, max(1, top // 4))
        ],
        description="; ".join(
            f"{_label(index)}: {count}" for index, count in enumerate(counts) if count
        )
        or "no submission was graded",
    )


def _round_up(count: int) -> int:
    return next(top for top in (4, 8, 12, 20, 40, 80, 120, 200, 400, 10**9) if count <= top)


def _label(index: int) -> str:
    last = 100 if index == BINS - 1 else (index + 1) * 100 // BINS - 1
    return f"{index * 100 // BINS}–{last} %"


def _bar(index: int, count: int, top: int) -> Bar:
    step, height = WIDTH / BINS, HEIGHT * count / top
    return Bar(
        label=_label(index),
        count=count,
        x=index * step + 4,
        y=HEIGHT - height,
        width=step - 8,
        height=height,
    )
