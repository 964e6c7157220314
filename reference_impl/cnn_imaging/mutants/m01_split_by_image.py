"""Rows are shuffled and cut without regard to patients.

question: q1
caught_by: test_patients_are_disjoint, test_coin_flip_canary
"""


def patient_split(patient_id, y, fractions=(0.7, 0.15, 0.15), seed=0):
    rows = np.random.default_rng(seed).permutation(len(y))
    cuts = np.rint(np.cumsum(fractions)[:2] * len(rows)).astype(int)
    return tuple(np.sort(part) for part in np.split(rows, cuts))
