"""Every seed gives the same answers.

question: p3
caught_by: test_seeds_replicate
"""

first = predict


def predict(inputs, seed=0):
    return first(inputs, 0)
