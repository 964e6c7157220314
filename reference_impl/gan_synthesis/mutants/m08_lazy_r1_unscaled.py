"""R1 in every k-th step is as strong as R1 in every step.

question: q5
caught_by: test_lazy_r1
"""

r1_of_each_step = r1


def r1(D, real, gamma=10.0, interval=1):
    return r1_of_each_step(D, real, gamma)
