"""Thresholds come from what calibration derived, and are secret."""

import json
import math

from reference_impl.secret import Secret
from reference_impl.thresholds import Thresholds


def stored(folder, **steps):
    text = json.dumps({"thresholds": {name: {"steps": values} for name, values in steps.items()}})
    (folder / "calibration.json").write_text(text)
    return Thresholds(folder)


def test_the_last_step_is_the_one_for_full_credit(tmp_path):
    found = stored(tmp_path, auc=[0.6, 0.7])
    assert found.steps("auc", "AUC").reveal() == (0.6, 0.7)
    assert found.full("auc", "AUC").reveal() == 0.7
    assert isinstance(found.full("auc", "AUC"), Secret)


def test_nothing_passes_a_threshold_that_was_never_derived(tmp_path):
    for found in (Thresholds(tmp_path), stored(tmp_path, auc=[0.7])):
        missing = found.full("dice", "Dice").reveal()
        assert math.isnan(missing) and not 1e9 >= missing and not -1e9 <= missing
        assert all(map(math.isnan, found.steps("dice", "Dice").reveal()))
