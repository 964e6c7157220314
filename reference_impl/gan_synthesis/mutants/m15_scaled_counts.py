"""Counts are multiplied by the dose and rounded.

question: q3
caught_by: test_thinned_counts_are_poisson, test_kept_and_dropped_are_independent
"""


def thin_counts(counts, p, rng):
    return np.rint(p * np.asarray(counts)).astype(np.int64)
