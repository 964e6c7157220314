"""The kernel is flipped, as in signal processing.

question: q3
caught_by: test_asymmetric_kernel
"""

correlate = conv2d


def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    return correlate(x, w.flip(-2, -1), b, stride, padding, dilation, groups)
