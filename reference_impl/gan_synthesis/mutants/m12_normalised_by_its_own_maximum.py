"""Prediction and truth are each divided by their own maximum before they are compared.

question: q4
caught_by: test_psnr_and_nrmse, test_intensity_errors_count
"""

psnr_of_images_as_they_are = psnr


def psnr(p, t, data_range, mask=None):
    p, t = (np.asarray(v, dtype=np.float64) for v in (p, t))
    p, t = (v / np.maximum(v.max(axis=(-2, -1), keepdims=True), 1e-12) for v in (p, t))
    return psnr_of_images_as_they_are(p, t, 1.0, mask)
