"""What was not measured counts as negative.

question: q7
caught_by: test_gaps_send_no_gradient, test_loss_values
"""

with_gaps = masked_bce


def masked_bce(logits, y, pos_weight=None):
    return with_gaps(logits, torch.nan_to_num(y, nan=0.0), pos_weight)
