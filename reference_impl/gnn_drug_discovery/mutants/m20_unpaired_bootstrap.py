"""Each model is measured on a resample of its own.

question: q9
caught_by: test_pairs_stay_together
"""


def compare(y, pa, pb, groups, B=2000, alpha=0.05, seed=0):
    y, pa, pb = (np.asarray(values, dtype=float) for values in (y, pa, pb))
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng(seed)
    errors = []
    for p in (pa, pb):
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=B)
        squares = np.bincount(group, (y - p) ** 2, minlength=len(names))
        errors.append(np.sqrt(drawn @ squares / (drawn @ np.bincount(group))))
    lo, hi = np.quantile(errors[0] - errors[1], [alpha / 2, 1 - alpha / 2]).tolist()
    if len(names) < 2:
        lo = hi = float("nan")
    diff = float(np.sqrt(np.mean((y - pa) ** 2)) - np.sqrt(np.mean((y - pb) ** 2)))
    verdict = "a" if hi < 0 else "b" if lo > 0 else "inconclusive"
    return {"diff": diff, "lo": lo, "hi": hi, "verdict": verdict}
