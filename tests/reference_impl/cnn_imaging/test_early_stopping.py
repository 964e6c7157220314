"""Early stopping, by a script of validation scores."""

import math

import pytest
import torch
from torch import nn

from reference_impl.cnn_imaging.early_stopping import fit_with_early_stopping

SCORES = (0.70, 0.74, 0.73, 0.72, math.nan, 0.75)


class Script:
    """A model whose one weight counts epochs, and scores read from a list."""

    def __init__(self, scores):
        self.scores, self.epoch = scores, -1
        self.model = nn.BatchNorm1d(1)
        nn.init.constant_(self.model.weight, -1.0)

    def step(self, model):
        self.epoch += 1
        with torch.no_grad():
            model.weight.fill_(self.epoch)
            model.running_mean.fill_(self.epoch)

    def evaluate(self, model):
        return self.scores[min(self.epoch, len(self.scores) - 1)]

    def fit(self, patience, mode="max", **settings):
        return fit_with_early_stopping(
            self.model, self.step, self.evaluate, patience, mode, **settings
        )


@pytest.mark.parametrize(
    ("patience", "best", "last"), [(1, 1, 2), (2, 1, 3), (3, 1, 4), (4, 5, 9), (6, 5, 11)]
)
def test_it_stops_after_patience_epochs_without_a_new_best(patience, best, last):
    script = Script(SCORES)
    state = script.fit(patience)
    assert state["weight"].item() == best
    assert script.epoch == last


def test_lower_is_better_in_min_mode():
    script = Script([-score for score in SCORES])
    assert script.fit(4, "min")["weight"].item() == 5


def test_buffers_are_part_of_what_is_best():
    assert Script(SCORES).fit(2)["running_mean"].item() == 1


def test_what_is_returned_is_a_copy_and_the_model_has_the_same_weights():
    script = Script(SCORES)
    state = script.fit(2)
    assert script.model.weight.item() == 1
    with torch.no_grad():
        script.model.weight.fill_(99)
    assert state["weight"].item() == 1
    assert not state["weight"].requires_grad


def test_a_tie_keeps_the_earlier_epoch_and_counts_as_waiting():
    script = Script([0.5, 0.5, 0.5, 0.9])
    assert script.fit(2)["weight"].item() == 0
    assert script.epoch == 2


def test_without_any_score_the_first_weights_are_kept():
    script = Script([math.nan])
    assert script.fit(3)["weight"].item() == -1
    assert script.epoch == 2


def test_a_first_score_of_nan_does_not_hide_later_ones():
    assert Script([math.nan, 0.1, 0.2]).fit(2)["weight"].item() == 2


def test_it_ends_after_max_epochs():
    script = Script([float(k) for k in range(50)])
    assert script.fit(3, max_epochs=7)["weight"].item() == 6


@pytest.mark.parametrize(("patience", "mode"), [(0, "max"), (3, "best")])
def test_settings_without_a_meaning_are_refused(patience, mode):
    with pytest.raises(ValueError, match=r"mode|patience"):
        Script(SCORES).fit(patience, mode)
