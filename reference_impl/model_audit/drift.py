"""Watching a model at work: EWMA control charts with a limit for a chosen rate of false alarms."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_impl.model_audit.triage import Streams

__all__ = ["CHART", "Chart", "DriftMonitor", "first_alarms"]

WEIGHT = 0.2
"""Share of the newest day in the moving average."""
RESERVE = 1.25
"""The limit is set for this many times the run length asked for: both it and the reference
period's moments are estimates."""
RUNS, HORIZON = 400, 4
"""Simulated streams, and their length in run lengths."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Chart:
    """How a chart gathers the standardised values of its days."""

    size: int
    """Numbers that it remembers"""
    after: Callable[[Array, Array], Array]
    """What it remembers after a value more: from [..., size] and [...] to [..., size]"""
    height: Callable[[Array], Array]
    """How far it is from what is usual: from [..., size] to [...]"""


def _averaged(average: Array, z: Array) -> Array:
    return np.asarray((1 - WEIGHT) * average + WEIGHT * z[..., None])


CHART = Chart(1, _averaged, lambda average: np.abs(average[..., 0]))
"""The exponentially weighted moving average; calibration tries others."""


class DriftMonitor:
    """Charts of each measurement, of the score, and of the calibration once outcomes are known.

    Day by day a chart has a standardised value ``z`` and its exponentially weighted moving average
    ``e <- (1 - w) e + w z``, whose variance approaches ``w / (2 - w)`` (Roberts, Technometrics
    1:239, 1959). The alarm sounds when any ``|e|`` passes the limit.

    Args:
        ref: The reference period: ``x`` [n, d], ``p`` [n] in (0, 1), ``y`` [n].
        arl0: Mean number of updates to a false alarm that is aimed at.
        seed: Of the simulation that finds the limit.
    """

    def __init__(self, ref: Mapping[str, npt.ArrayLike], arl0: float = 100, seed: int = 0) -> None:
        x, p = np.asarray(ref["x"], float), np.asarray(ref["p"], float)
        watched = np.column_stack([x, p])
        self._mean, self._sd = watched.mean(axis=0), watched.std(axis=0, ddof=1)
        self._n = len(watched)
        charts = watched.shape[1] + 1
        correlation = np.eye(charts)
        correlation[:-1, :-1] = np.corrcoef(watched.T)
        self._limit = _limit(correlation, RESERVE * arl0, np.random.default_rng(seed))
        self._state = np.zeros((charts, CHART.size))
        self._scores: dict[int, Array] = {}
        self._day = 0

    def update(
        self,
        x: npt.ArrayLike,
        p: npt.ArrayLike,
        late: tuple[int, npt.ArrayLike] | None = None,
    ) -> bool:
        """Take in one day and say whether to sound the alarm.

        Args:
            x: Measurements of the day's patients [m, d].
            p: Their scores [m].
            late: A day of the past, counted from 0 for the first update, and the outcomes [m] of
                its patients in the order they had then; or nothing.

        Raises:
            ValueError: if outcomes of a day arrive that has not been or was told already.
        """
        scores = np.asarray(p, float)
        values = np.column_stack([np.asarray(x, float), scores])
        error = self._sd * np.sqrt(1 / len(values) + 1 / self._n)
        self._move(slice(None, -1), (values.mean(axis=0) - self._mean) / error)
        self._scores[self._day] = scores
        self._day += 1
        if late is not None:
            self._move(slice(-1, None), self._calibration(*late))
        return bool((CHART.height(self._state) > self._limit).any())

    def _move(self, charts: slice, z: Any) -> None:
        self._state[charts] = CHART.after(self._state[charts], np.atleast_1d(z))

    def _calibration(self, day: int, y: npt.ArrayLike) -> float:
        """Standardised difference of the outcomes of a day and what was expected of it."""
        if day not in self._scores:
            raise ValueError(f"outcomes of day {day}: it has not been yet, or they came before")
        scores = self._scores.pop(day)
        spread = np.sqrt((scores * (1 - scores)).sum())
        return float((np.asarray(y, float) - scores).sum() / spread)


def _limit(correlation: Array, arl0: float, rng: np.random.Generator) -> float:
    """The limit at which simulated charts without drift run for ``arl0`` days on average.

    A run that sounds no alarm within the horizon counts with the days it was watched: run lengths
    are nearly geometric, so that the mean is days watched over alarms.
    """
    charts, days = len(correlation), int(HORIZON * arl0)
    root = np.linalg.cholesky(correlation + 1e-9 * np.eye(charts))
    state = np.zeros((RUNS, charts, CHART.size))
    highest = np.zeros((RUNS, days))
    for day in range(days):
        z = rng.standard_normal((RUNS, charts)) @ root.T
        state = CHART.after(state, z)
        highest[:, day] = CHART.height(state).max(axis=1)
    highest = np.maximum.accumulate(highest, axis=1)

    def run_length(limit: float) -> float:
        over = highest > limit
        watched = np.where(over.any(axis=1), over.argmax(axis=1) + 1, days)
        return float(watched.sum() / max(1, over.any(axis=1).sum()))

    low, high = 0.0, float(highest.max())
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if run_length(middle) < arl0 else (low, middle)
    return high


def first_alarms(monitor: DriftMonitor, watched: Streams, delay: int = 10) -> npt.NDArray[np.int64]:
    """The day of the first alarm in each stream, from 0; the number of days where there is none.

    Args:
        monitor: A fresh one; each stream is watched by a copy.
        watched: N streams.
        delay: Days after which the outcomes of a day are told.
    """
    found = []
    for x, p, y in zip(watched.x, watched.p, watched.y, strict=True):
        mine = copy.deepcopy(monitor)
        alarms = (
            mine.update(x[day], p[day], (day - delay, y[day - delay]) if day >= delay else None)
            for day in range(len(x))
        )
        found.append(next((day for day, alarm in enumerate(alarms) if alarm), len(x)))
    return np.array(found)
