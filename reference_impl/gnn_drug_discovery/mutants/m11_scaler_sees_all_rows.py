"""The scaler is fitted on all rows, those of the test set too.

question: q6
caught_by: test_scaler_sees_training_rows_only
"""


def standardise(values, train_rows):
    scaler = Standardiser().fit(values)
    return scaler.transform(values), scaler
