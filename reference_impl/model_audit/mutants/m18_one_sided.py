"""p counts only differences in one direction.

question: q3
caught_by: test_p_with_a_gap
"""


def permutation_p(y, flagged, groups, metric="tpr", B=999, seed=0):
    if metric not in ("tpr", "fpr", "rate"):
        raise ValueError(metric)
    y, flagged, groups = np.asarray(y), np.asarray(flagged, float), np.asarray(groups)
    rows = {"tpr": y == 1, "fpr": y == 0, "rate": y >= 0}[metric]
    flagged, group = flagged[rows], np.unique(groups[rows], return_inverse=True)[1]

    def difference(names):
        share = np.bincount(names, flagged) / np.bincount(names)
        return share[0] - share[-1]

    rng = np.random.default_rng(seed)
    seen = difference(group)
    return (1 + sum(difference(rng.permutation(group)) >= seen - 1e-12 for _ in range(B))) / (B + 1)
