"""Plain accuracy is reported under the name of balanced accuracy.

question: q5
caught_by: test_binary_metrics
"""

rates_in_full = binary_metrics


def binary_metrics(y, yhat):
    rates = rates_in_full(y, yhat)
    return {**rates, "balanced_accuracy": rates["accuracy"]}
