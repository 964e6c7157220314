"""What the models under audit answer about every patient of SUPPORT2.

``python -m reference_impl.model_audit.supplied`` writes ``supplied.npz``. The file is published
with the notebook; it holds answers of models, not of questions. Outcome and race are in it
so that the grader needs no table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reference_impl.model_audit import cohorts, risk_model

FILE = Path(__file__).with_name("supplied.npz")
DATA = Path(__file__).parents[2] / "data/support2"
EPOCHS = {"logit": 25, "overtrained_logit": 300}


def answers(part: str) -> dict[str, npt.NDArray[Any]]:
    """Of one part: ``logit``, ``overtrained_logit`` float64 [N], ``y`` int64 [N], ``race`` [N]."""
    with np.load(FILE) as stored:
        rows = cohorts.part_of(len(stored["y"])) == part
        found = {name: stored[name][rows] for name in stored.files}
    floats = {name: found[name].astype(float) for name in EPOCHS}
    return {**found, **floats, "y": found["y"].astype(np.int64)}


def main() -> None:
    """Train both models and store their log odds, float32 [9105] each."""
    torch.set_num_threads(1)
    table = cohorts.patients(DATA)
    train = cohorts.part_of(len(table)) == "train"
    X = risk_model.design(table, cohorts.FEATURES, train)
    y = table[cohorts.TARGET].to_numpy()
    made: dict[str, Any] = {
        name: risk_model.fit_risk(X, y, train, epochs).round(4) for name, epochs in EPOCHS.items()
    }
    race = table["race"].fillna("missing").to_numpy(dtype="U8")
    np.savez_compressed(FILE, y=y.astype(np.uint8), race=race, **made)


if __name__ == "__main__":
    main()
