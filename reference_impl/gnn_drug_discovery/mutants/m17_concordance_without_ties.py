"""Predictions that tie count as wrong order.

question: q8
caught_by: test_concordance
"""


def concordance_index(y, p):
    y, p = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    higher = y[:, None] > y[None, :]
    pairs = higher.sum()
    return float((higher & (p[:, None] > p[None, :])).sum() / pairs) if pairs else float("nan")
