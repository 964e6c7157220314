"""Each group is judged at a threshold of its own, with the share of flagged rows of all.

question: q2
caught_by: test_one_threshold_for_all, test_metrics_of_random_groups
"""

report_at_one_threshold = subgroup_report


def subgroup_report(y, p, groups, thr, B=200, seed=0, min_n=30, cluster=None):
    p = np.asarray(p, float)
    share = np.mean(p < thr)
    names = sorted(groups.columns)
    keys = groups[names].fillna("missing").astype(str).agg(" ".join, axis=1).to_numpy()
    moved = p.copy()
    for key in np.unique(keys):
        own = np.quantile(p[keys == key], share)
        moved[keys == key] += thr - own
    return report_at_one_threshold(y, moved, groups, thr, B, seed, min_n, cluster)
