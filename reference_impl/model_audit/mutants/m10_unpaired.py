"""The images with and without the edit are compared like two groups of different lesions.

question: q5
caught_by: test_paired_interval, test_lesions_that_differ_widely
"""

shortcut_report_by_pairs = shortcut_report


def shortcut_report(predict, X, y, edits, margin=0.1, alpha=0.05):
    report = shortcut_report_by_pairs(predict, X, y, edits, margin, alpha)
    for name, found in report["edits"].items():
        off, on = (np.asarray(predict(np.asarray(images)), float) for images in edits[name])
        n = len(off)
        half = stats.t.ppf(1 - alpha / 2, 2 * n - 2) * np.sqrt(
            (off.var(ddof=1) + on.var(ddof=1)) / n
        )
        lo, hi = found["delta"] - half, found["delta"] + half
        found.update(lo=float(lo), hi=float(hi), flag=bool(lo > margin or hi < -margin))
    return report
