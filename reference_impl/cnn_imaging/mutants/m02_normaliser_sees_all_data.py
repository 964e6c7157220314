"""Images are normalised by the statistics of whatever lies beside them.

question: q2
caught_by: test_other_images_do_not_matter
"""


def apply(X, stats):
    images = np.asarray(X)
    mean, std = (np.reshape(values, (3, 1, 1)) for values in fit_normaliser(images))
    return ((images - mean) / std).astype(images.dtype)
