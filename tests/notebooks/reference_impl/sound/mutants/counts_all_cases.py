"""Divides by all cases, not by the positives.

question: q1
caught_by: test_all_found, test_half_found
"""


def sensitivity(labels, predictions):
    return sum(a * b for a, b in zip(labels, predictions)) / len(labels)
