"""Audits a package of models: python audit.py TOPIC PACKAGE CODE, where the notebook is.

Prints audit.json. PACKAGE is the package's answers.csv and CODE its code.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path.cwd()))

import numpy as np
import topics

LARGE = {"spelling": 0.15, "rings": 0.4, "ruler": 0.08, "tone": 0.08}
"""From what size on an effect is a flaw: well above what resampling items makes of no effect."""


def audit(topic: str, package: Path, code: str) -> dict[str, Any]:
    """Measure each of the topic's flaws in each model, and say which is there."""
    asked, flaws = topics.panel(topic), topics.TOPICS[topic].flaws
    with package.open(newline="") as opened:
        table = list(csv.DictReader(opened))
    models = {}
    for name in (column for column in table[0] if column != "row"):
        answers = np.array([float(row[name]) for row in table])
        effects = {flaw: one.effect(asked, answers) for flaw, one in flaws.items()}
        found = {flaw: value for flaw, value in effects.items() if abs(value) > LARGE[flaw]}
        flaw = max(found, key=lambda one: abs(found[one]), default=None)
        told = ", ".join(f"{one} {value:+.3f}" for one, value in effects.items())
        models[name] = {
            "verdict": "flawed" if flaw else "sound",
            "flaw": flaw,
            "effect": round(found[flaw], 4) if flaw else None,
            "evidence": f"Effects on the panel: {told}.",
        }
    return {"package": code, "models": models}


if __name__ == "__main__":
    print(json.dumps(audit(sys.argv[1], Path(sys.argv[2]), sys.argv[3]), indent=2))
