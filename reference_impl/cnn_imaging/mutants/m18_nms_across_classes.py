"""A box suppresses boxes of other classes.

question: q11
caught_by: test_classes_do_not_suppress_each_other
"""

nms_by_class = nms


def nms(boxes, scores, thr, labels=None):
    return nms_by_class(boxes, scores, thr)
