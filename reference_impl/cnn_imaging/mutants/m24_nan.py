"""Every probability is nan, as after training that diverged.

question: q7
caught_by: test_probabilities, test_neighbours_do_not_matter, test_order_does_not_matter, test_threshold_comes_from_validation, test_unseen_lesions, test_unseen_lesions_in_full, test_learns_from_new_patients, test_learns_exchanged_labels
"""


def predict_proba(model, X, batch=256):
    return np.full(len(X), np.nan, dtype=np.float32)
