"""The card's error is that of the training part.

question: p5
caught_by: test_card_claims_recomputed
"""

model_card["performance"]["mean"] = 0.31
