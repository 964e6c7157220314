"""predict looks at what else is in the batch.

question: p3
caught_by: test_a_row_decides_alone
"""

alone = predict


def predict(inputs, seed=0):
    found = alone(inputs, seed)
    return found - 0.5 * found.mean() + 0.5 * -2.7
