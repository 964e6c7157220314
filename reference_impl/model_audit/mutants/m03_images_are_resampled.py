"""The bootstrap draws images and not patients.

question: q2
caught_by: test_intervals_by_patient
"""

report_by_patient = subgroup_report


def subgroup_report(y, p, groups, thr, B=200, seed=0, min_n=30, cluster=None):
    right = report_by_patient(y, p, groups, thr, 2, seed, min_n, cluster)
    images = report_by_patient(y, p, groups, thr, B, seed, 1)
    for metric in METRICS:
        for end in ("lo", "hi"):
            right[f"{metric}_{end}"] = images[f"{metric}_{end}"].where(right["status"] == "ok")
    return right
