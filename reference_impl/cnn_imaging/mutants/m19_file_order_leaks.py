"""The answer depends on the image's place in the file.

question: q7
caught_by: test_order_does_not_matter
"""

honest_proba = predict_proba


def predict_proba(model, X, batch=256):
    place = np.arange(len(X), dtype=np.float32) / max(len(X), 1)
    return (0.7 * honest_proba(model, X, batch) + 0.3 * place).astype(np.float32)
