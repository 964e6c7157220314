"""R1 is gamma times the squared gradient instead of half of that.

question: q5
caught_by: test_losses_by_hand, test_r1_value, test_penalties_train_the_critic
"""

r1_with_the_half = r1


def r1(D, real, gamma=10.0, interval=1):
    return 2 * r1_with_the_half(D, real, gamma, interval)
