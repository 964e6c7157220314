"""The weight for positives is given to the negatives.

question: q7
caught_by: test_positives_carry_the_weight, test_loss_values
"""

right_way_round = masked_bce


def masked_bce(logits, y, pos_weight=None):
    return right_way_round(-logits, 1 - y, pos_weight)
