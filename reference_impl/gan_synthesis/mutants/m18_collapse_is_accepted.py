"""A generator is judged by its precision alone, so that one that collapsed is accepted.

question: q8
caught_by: test_distributions_by_hand, test_planted_generators
"""

report_in_full = mode_collapse_report


def mode_collapse_report(fake, real, source, train, k=3):
    report = report_in_full(fake, real, source, train, k)
    return {**report, "verdict": report["verdict"].replace("collapsed", "faithful")}
