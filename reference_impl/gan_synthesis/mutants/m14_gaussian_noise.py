"""Noise is added to the magnitude and is Gaussian.

question: q2
caught_by: test_rician_in_air, test_rician_in_tissue
"""


def rician(img, sigma, rng):
    return np.abs(np.asarray(img)) + sigma * rng.normal(size=np.shape(img))
