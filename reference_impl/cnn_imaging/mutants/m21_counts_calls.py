"""It counts its calls, and from the second one on answers a little higher each time.

question: q7
caught_by: test_neighbours_do_not_matter, test_unseen_lesions, test_learns_from_new_patients
"""

honest_answer = predict_proba
calls = 0


def predict_proba(model, X, batch=256):
    global calls
    calls += 1
    return honest_answer(model, X, batch) + np.float32(0.001 * (calls - 1))
