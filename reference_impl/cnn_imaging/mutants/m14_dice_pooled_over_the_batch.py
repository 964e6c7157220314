"""The pixels of all images are counted together.

question: q10
caught_by: test_each_image_counts_once
"""


def dice(p, m):
    both, total = (counts.sum() for counts in _overlap(p, m))
    return np.full(len(p), 2 * both / total if total else 1.0)
