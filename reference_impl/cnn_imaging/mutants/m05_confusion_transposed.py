"""Rows are the decision, columns the truth.

question: q5
caught_by: test_confusion_layout
"""

upright_confusion = confusion


def confusion(y, yhat):
    return upright_confusion(y, yhat).T
