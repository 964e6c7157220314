"""Small groups become one group "other".

question: q2
caught_by: test_small_groups_keep_their_row
"""

report_of_each = subgroup_report


def subgroup_report(y, p, groups, thr, B=200, seed=0, min_n=30, cluster=None):
    merged = groups.copy()
    for name in groups.columns:
        counts = groups[name].value_counts()
        merged[name] = groups[name].where(~groups[name].isin(counts[counts < min_n].index), "other")
    return report_of_each(y, p, merged, thr, B, seed, min_n, cluster)
