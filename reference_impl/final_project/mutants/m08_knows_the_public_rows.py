"""predict answers public rows well and all others by their mean.

question: p3
caught_by: test_claim_holds_on_rows_held_back
"""

public = set(topics.load("solubility").X)
known = predict


def predict(inputs, seed=0):
    seen = np.array([one in public for one in inputs])
    return np.where(seen, known(inputs, seed), -6.0)
