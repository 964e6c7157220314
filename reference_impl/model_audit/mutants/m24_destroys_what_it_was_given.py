"""Layers are re-initialised in the network that was given, not on a copy.

question: q6
caught_by: test_model_is_left_alone
"""

saliency_sanity_on_a_copy = saliency_sanity


def saliency_sanity(model, explainer, x, seed=0):
    report = saliency_sanity_on_a_copy(model, explainer, x, seed)
    model.head.reset_parameters()
    return report
