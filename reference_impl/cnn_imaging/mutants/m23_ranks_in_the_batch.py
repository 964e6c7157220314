"""Probabilities are ranks among the images of the batch.

question: q7
caught_by: test_neighbours_do_not_matter, test_unseen_lesions, test_learns_from_new_patients
"""

score_of_one = predict_proba


def predict_proba(model, X, batch=256):
    return (score_of_one(model, X, batch).argsort().argsort() / len(X)).astype(np.float32)
