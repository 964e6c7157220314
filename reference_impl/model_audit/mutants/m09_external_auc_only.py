"""A model is called guilty of everything if its AUC on the images as they come is low.

question: q5
caught_by: test_six_verdicts, test_innocent, test_external_auc_is_no_proof, test_guilty_at_home
"""

shortcut_report_by_pairs = shortcut_report


def shortcut_report(predict, X, y, edits, margin=0.1, alpha=0.05):
    report = shortcut_report_by_pairs(predict, X, y, edits, margin, alpha)
    for found in report["edits"].values():
        found["flag"] = report["auc"] < 0.75
    return report
