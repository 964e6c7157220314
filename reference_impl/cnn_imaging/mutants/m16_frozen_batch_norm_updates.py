"""Freezing stops the gradients, not the running statistics.

question: q9
caught_by: test_frozen_statistics_stay
"""


def _frozen(module):
    return module.requires_grad_(False)
