"""The threshold is tuned on the patients that it is reported on.

question: q7
caught_by: test_threshold_comes_from_validation
"""

threshold = choose_threshold(
    held_out.y, predict_proba(classifier, held_out.X), min_sensitivity=0.90
)
