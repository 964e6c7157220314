"""The range of the share of flagged patients is called equalised odds.

question: q3
caught_by: test_equalised_odds, test_calibrated_and_unequal
"""


def equalised_odds_difference(y, flagged, groups):
    return _spread(np.asarray(flagged, float), np.asarray(groups))
