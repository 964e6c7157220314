"""Stopping when validation no longer improves, and keeping the weights that were best."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

__all__ = ["fit_with_early_stopping"]


def fit_with_early_stopping(
    model: nn.Module,
    step: Callable[[nn.Module], object],
    evaluate: Callable[[nn.Module], float],
    patience: int,
    mode: Literal["max", "min"] = "max",
    max_epochs: int = 100,
) -> dict[str, Tensor]:
    """Train until ``patience`` epochs in a row have brought no new best score.

    Each epoch calls ``step(model)`` and then ``evaluate(model)``. A score counts as better only
    if it is strictly better than the best so far: a tie keeps the earlier epoch, and nan is
    never better.

    Args:
        model: The model; it is left with the best weights.
        step: Trains the model for one epoch, in place.
        evaluate: The model's validation score.
        patience: Number of epochs without improvement, in a row, after which to stop.
        mode: ``"max"`` if higher scores are better, ``"min"`` if lower ones are.
        max_epochs: Stop after this many epochs in any case.

    Returns:
        The ``state_dict`` of the best epoch, as copies that later changes to the model do not
        reach. If no epoch had a score that is a number, the weights before the first.

    Raises:
        ValueError: If ``mode`` is neither, or ``patience`` is not positive.
    """
    if mode not in ("max", "min"):
        raise ValueError(f"mode must be 'max' or 'min', not {mode!r}")
    if patience < 1:
        raise ValueError(f"patience must be at least 1, not {patience}")
    sign = 1.0 if mode == "max" else -1.0
    best_score, best_state, waited = -float("inf"), _copy_of_weights(model), 0
    for _ in range(max_epochs):
        step(model)
        score = sign * float(evaluate(model))
        if score > best_score:
            best_score, best_state, waited = score, _copy_of_weights(model), 0
        else:
            waited += 1
            if waited >= patience:
                break
    model.load_state_dict(best_state)
    return best_state


def _copy_of_weights(model: nn.Module) -> dict[str, Tensor]:
    # `state_dict()` alone shares memory with the model and would follow it to the last epoch.
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
