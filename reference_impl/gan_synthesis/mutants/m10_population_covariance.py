"""SSIM with the variances and covariance of a population, divided by 49.

question: q4
caught_by: test_ssim_definition
"""


def ssim(p, t, data_range, mask=None):
    p, t = np.asarray(p, dtype=np.float64), np.asarray(t, dtype=np.float64)

    def window(x):
        return ndimage.uniform_filter(x, (*[1] * (x.ndim - 2), 7, 7))[..., 3:-3, 3:-3]

    mu_p, mu_t = window(p), window(t)
    var_p, var_t = window(p * p) - mu_p**2, window(t * t) - mu_t**2
    cov = window(p * t) - mu_p * mu_t
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    found = (2 * mu_p * mu_t + c1) * (2 * cov + c2)
    found /= (mu_p**2 + mu_t**2 + c1) * (var_p + var_t + c2)
    return _masked_mean(found, None if mask is None else np.asarray(mask)[..., 3:-3, 3:-3])
