"""Patches are summed up, images averaged: the loss grows with the image.

question: q5
caught_by: test_patches_are_averaged
"""

d_loss_of_means, g_loss_of_means = d_loss, g_loss


def patches_of(logits):
    return logits[0].numel()


def d_loss(real_logits, fake_logits, kind):
    return patches_of(real_logits) * d_loss_of_means(real_logits, fake_logits, kind)


def g_loss(fake_logits, kind):
    return patches_of(fake_logits) * g_loss_of_means(fake_logits, kind)
