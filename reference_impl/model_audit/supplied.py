"""Writes ``supplied.npz``: what the models under audit answer about every patient.

Run ``python -m reference_impl.model_audit.supplied``. The file is published with the notebook; it
holds answers of models, not of questions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from reference_impl.model_audit import cohorts, risk_model

FILE = Path(__file__).with_name("supplied.npz")
DATA = Path(__file__).parents[2] / "data/support2"
EPOCHS = {"logit": 25, "overtrained_logit": 300}


def main() -> None:
    """Train both models and store their log odds, float32 [9105] each."""
    torch.set_num_threads(1)
    table = cohorts.patients(DATA)
    train = cohorts.part_of(len(table)) == "train"
    X = risk_model.design(table, cohorts.FEATURES, train)
    y = table[cohorts.TARGET].to_numpy()
    answers = {
        name: risk_model.fit_risk(X, y, train, epochs).round(4) for name, epochs in EPOCHS.items()
    }
    np.savez_compressed(FILE, **answers)


if __name__ == "__main__":
    main()
