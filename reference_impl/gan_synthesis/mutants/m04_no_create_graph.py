"""The penalties have the right value and no gradient by the critic's weights.

question: q5
caught_by: test_penalties_train_the_critic
"""


def _image_gradient(D, x):
    scores = D(x)
    scores = scores.flatten(1).mean(1) if scores.ndim > 1 else scores
    return torch.autograd.grad(scores.sum(), x)[0].flatten(1)
