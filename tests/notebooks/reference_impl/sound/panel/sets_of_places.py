"""Sets of places in place of a loop over pairs."""

# %% q1
places = lambda flags: {place for place, flag in enumerate(flags) if flag}


def sensitivity(labels, predictions):
    ill, called = places(labels), places(predictions)
    return len(ill & called) / (len(ill) or 1)


# %% q3
threshold = 1 / 2
