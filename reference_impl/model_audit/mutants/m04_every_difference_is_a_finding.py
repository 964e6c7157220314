"""The largest difference is called a gap whatever its interval says.

question: q3
caught_by: test_what_is_no_finding
"""

gap_with_interval = gap


def gap(report, metric):
    found = gap_with_interval(report, metric)
    return {**found, "claim": found["gap"] > 0.05}
