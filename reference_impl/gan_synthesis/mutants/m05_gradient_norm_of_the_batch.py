"""The penalty looks at the norm of the whole batch's gradient.

question: q5
caught_by: test_penalty_of_each_image
"""


def gradient_penalty(D, real, fake, alpha, lam=10.0):
    mixed = (alpha * real + (1 - alpha) * fake).detach().requires_grad_(True)
    return lam * (_image_gradient(D, mixed).norm() - 1) ** 2
