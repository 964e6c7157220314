"""The ECE of the confidence in the more likely class.

question: q4
caught_by: test_ece_of_random_scores
"""

ece_of_the_event = ece


def ece(y, p, bins=10, strategy="width"):
    p = np.asarray(p, float)
    right = (np.asarray(y) == (p >= 0.5)).astype(int)
    return ece_of_the_event(right, np.maximum(p, 1 - p), bins, strategy)
