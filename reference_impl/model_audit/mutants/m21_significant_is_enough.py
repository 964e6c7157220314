"""An edit is flagged as soon as its interval leaves out zero; the margin plays no part.

question: q5
caught_by: test_direction_and_margin, test_innocent
"""

shortcut_report_with_margin = shortcut_report


def shortcut_report(predict, X, y, edits, margin=0.1, alpha=0.05):
    return shortcut_report_with_margin(predict, X, y, edits, 0.0, alpha)
