"""False positive and false negative rate are swapped.

question: q2
caught_by: test_metrics_of_random_groups, test_groups_of_one_class
"""

report_unswapped = subgroup_report


def subgroup_report(y, p, groups, thr, B=200, seed=0, min_n=30, cluster=None):
    report = report_unswapped(y, p, groups, thr, B, seed, min_n, cluster)
    names = {f"f{a}r{end}": f"f{b}r{end}" for a, b in ("np", "pn") for end in ("", "_lo", "_hi")}
    return report.rename(columns=names)[REPORT_COLUMNS]
