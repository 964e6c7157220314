"""Tied scores are ranked by their place in the file.

question: q5
caught_by: test_auc_with_ties
"""


def roc_auc(y, s):
    truth = np.asarray(y).astype(bool)
    n1, n0 = int(truth.sum()), int((~truth).sum())
    rank = np.empty(len(truth))
    rank[np.argsort(np.asarray(s), kind="stable")] = np.arange(1, len(truth) + 1)
    return _ratio(float(rank[truth].sum()) - n1 * (n1 + 1) / 2, n1 * n0)
