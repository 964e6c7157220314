"""The class is the argmax of a single column, which is always 0.

question: q7
caught_by: test_unseen_lesions, test_unseen_lesions_in_full
"""

scores_of_one_column = predict_proba


def predict_proba(model, X, batch=256):
    return scores_of_one_column(model, X, batch)[:, None].argmax(axis=1).astype(np.float32)
