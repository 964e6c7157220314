"""Every probability is nan, as after training that diverged.

question: q7
caught_by: test_probabilities, test_neighbours_do_not_matter, test_unseen_lesions_in_full
"""


def predict_proba(model, X, batch=256):
    return np.full(len(X), np.nan, dtype=np.float32)
