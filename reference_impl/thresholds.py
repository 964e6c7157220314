"""What a metric must reach, as ``autograder calibrate`` derived it from runs of the reference."""

from __future__ import annotations

import json
import math
from pathlib import Path

from reference_impl.secret import Secret

__all__ = ["Thresholds"]


class Thresholds:
    """The thresholds of one assignment, from ``calibration.json`` beside its reference.

    A threshold that was never derived is not a number: no answer passes a comparison with it.

    Args:
        folder: The folder of the assignment's reference.
    """

    def __init__(self, folder: Path) -> None:
        file = folder / "calibration.json"
        stored = json.loads(file.read_text("utf-8"))["thresholds"] if file.is_file() else {}
        self._steps = {metric: entry["steps"] for metric, entry in stored.items()}

    def full(self, metric: str, what: str) -> Secret[float]:
        """What ``metric`` must reach for full credit; ``what`` names it in errors."""
        return Secret(self._steps.get(metric, [math.nan])[-1], what)

    def steps(self, metric: str, what: str) -> Secret[tuple[float, float]]:
        """What earns part of the credit, and what earns all of it."""
        part, full = self._steps.get(metric, [math.nan, math.nan])
        return Secret((part, full), what)
