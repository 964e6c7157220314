"""p is uniform noise.

question: q3
caught_by: test_p_without_a_gap, test_p_with_a_gap
"""


def permutation_p(y, flagged, groups, metric="tpr", B=999, seed=0):
    if metric not in ("tpr", "fpr", "rate"):
        raise ValueError(metric)
    return float(np.random.default_rng(seed).random())
