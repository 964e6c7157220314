"""Patients whose attribute was not recorded are dropped, as groupby does.

question: q2
caught_by: test_missing_is_a_group
"""

report_of_all = subgroup_report


def subgroup_report(y, p, groups, thr, B=200, seed=0, min_n=30, cluster=None):
    known = groups.notna().all(axis=1).to_numpy()
    patient = np.arange(len(known)) if cluster is None else np.asarray(cluster)
    y, p, groups = np.asarray(y)[known], np.asarray(p)[known], groups[known]
    return report_of_all(y, p, groups.reset_index(drop=True), thr, B, seed, min_n, patient[known])
