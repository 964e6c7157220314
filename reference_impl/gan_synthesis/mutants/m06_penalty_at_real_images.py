"""The penalty is computed at real images, not between real and fake.

question: q5
caught_by: test_penalty_of_each_image
"""

penalty_between = gradient_penalty


def gradient_penalty(D, real, fake, alpha, lam=10.0):
    return penalty_between(D, real, real, alpha, lam)
