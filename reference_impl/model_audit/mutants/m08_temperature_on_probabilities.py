"""Probabilities are divided by the temperature, not log odds.

question: q4
caught_by: test_planted_temperatures
"""


def fit_temperature(logits, y):
    p, y = 1 / (1 + np.exp(-np.asarray(logits, float))), np.asarray(y, float)

    def loss(t):
        scaled = np.clip(p / t, 1e-9, 1 - 1e-9)
        return -np.mean(y * np.log(scaled) + (1 - y) * np.log(1 - scaled))

    return float(minimize_scalar(loss, bounds=(0.02, 50), method="bounded").x)
