"""The discriminator is trained to call real images fake and fake ones real.

question: q5
caught_by: test_losses_by_hand, test_discriminator_losses, test_gradients_by_logits
"""

d_loss_the_right_way_round = d_loss


def d_loss(real_logits, fake_logits, kind):
    return d_loss_the_right_way_round(fake_logits, real_logits, kind)
