"""The price of a false alarm is the threshold itself, not its odds.

question: q7
caught_by: test_net_benefit_of_random_models, test_treat_all_and_none
"""


def net_benefit(y, p, t):
    y, p, t = (np.asarray(v, float) for v in (y, p, t))
    if not ((t >= 0) & (t < 1)).all():
        raise ValueError("thresholds must lie in [0, 1)")
    acted = p >= t[..., None]
    return (acted & (y == 1)).mean(axis=-1) - (acted & (y == 0)).mean(axis=-1) * t
