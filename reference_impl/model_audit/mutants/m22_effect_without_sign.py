"""Only an effect that raises the probability counts.

question: q5
caught_by: test_direction_and_margin
"""

shortcut_report_both_ways = shortcut_report


def shortcut_report(predict, X, y, edits, margin=0.1, alpha=0.05):
    report = shortcut_report_both_ways(predict, X, y, edits, margin, alpha)
    for found in report["edits"].values():
        found["flag"] = found["lo"] > margin
    return report
