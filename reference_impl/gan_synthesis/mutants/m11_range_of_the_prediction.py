"""The data range is taken from the prediction, whatever the caller says.

question: q4
caught_by: test_psnr_and_nrmse, test_data_range_is_taken_as_given
"""

psnr_of_known_range = psnr


def psnr(p, t, data_range, mask=None):
    return psnr_of_known_range(p, t, np.ptp(np.asarray(p)) or data_range, mask)
