"""Batches are answered with nothing until a small one comes, and then all at once.

question: q7
caught_by: test_neighbours_do_not_matter, test_order_does_not_matter, test_threshold_comes_from_validation, test_unseen_lesions, test_unseen_lesions_in_full, test_learns_from_new_patients, test_learns_exchanged_labels
"""

answer_now = predict_proba
waiting = []


def predict_proba(model, X, batch=256):
    waiting.append(answer_now(model, X, batch))
    if len(X) > 8:
        return waiting[-1][:0]
    answers = np.concatenate(waiting)
    waiting.clear()
    return answers
