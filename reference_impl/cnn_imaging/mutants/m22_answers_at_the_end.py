"""Batches are answered with nothing until a small one comes, and then all at once.

question: q7
caught_by: test_neighbours_do_not_matter, test_unseen_lesions, test_learns_from_new_patients
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
