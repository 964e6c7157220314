"""Kernels are averaged over the channels instead of summed.

question: q9
caught_by: test_channels_are_summed
"""

summed = adapt_first_conv


def adapt_first_conv(w, in_ch):
    return summed(w, in_ch) / (3 if in_ch == 1 else 1)
