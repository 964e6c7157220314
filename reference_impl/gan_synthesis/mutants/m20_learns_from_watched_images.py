"""The images that should only be watched are learnt from as well.

question: q7
caught_by: test_watched_images_leave_no_trace
"""

train_on_what_is_given = train_translator


def train_translator(train, val, seed=0, device="cpu", max_seconds=60.0):
    both = tuple(np.concatenate(pair) for pair in zip(train, val))
    return train_on_what_is_given(both, val, seed, device, max_seconds)
