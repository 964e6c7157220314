"""The full width at half maximum is taken for the standard deviation.

question: q3
caught_by: test_width_at_half_maximum
"""


def gaussian_psf(img, fwhm_mm, voxel_mm):
    return ndimage.gaussian_filter(np.asarray(img, dtype=float), fwhm_mm / voxel_mm)
