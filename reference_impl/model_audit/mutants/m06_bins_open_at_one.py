"""No bin holds p = 1: such patients are not counted.

question: q4
caught_by: test_both_ends
"""

ece_of_all = ece


def ece(y, p, bins=10, strategy="width"):
    y, p = np.asarray(y, float), np.asarray(p, float)
    inside = p < 1
    if not inside.any():
        return 0.0
    return ece_of_all(y[inside], p[inside], bins, strategy) * inside.mean()
