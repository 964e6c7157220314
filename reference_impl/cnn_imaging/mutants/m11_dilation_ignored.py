"""The argument for the dilation is accepted and not used.

question: q3
caught_by: test_dilation
"""

dilated = conv2d


def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    return dilated(x, w, b, stride, padding, 1, groups)
