"""Integrated gradients take the gradient at the input, times the way from the baseline.

question: q6
caught_by: test_completeness, test_closed_forms, test_saturation
"""


def integrated_gradients(model, x, x0, steps=64):
    point = x.detach().clone().requires_grad_()
    model(point).sum().backward(inputs=[point])
    return (x.detach() - x0) * point.grad
