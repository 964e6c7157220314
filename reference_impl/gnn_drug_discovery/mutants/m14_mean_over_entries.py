"""The mean is taken over all labelled entries at once, not within tasks first.

question: q7
caught_by: test_every_task_has_one_voice, test_loss_values
"""


def masked_bce(logits, y, pos_weight=None):
    known = ~torch.isnan(y)
    label = torch.where(known, y, torch.zeros_like(y)).to(logits)
    weight = torch.ones(y.shape[1]) if pos_weight is None else torch.as_tensor(pos_weight)
    loss = weight.to(logits) * label * F.softplus(-logits) + (1 - label) * F.softplus(logits)
    return torch.where(known, loss, 0).sum() / known.sum().clamp_min(1)
