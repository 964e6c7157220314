"""The generator minimises the discriminator's own term with its sign turned: it saturates.

question: q5
caught_by: test_generator_losses, test_gradients_by_logits
"""

g_loss_that_does_not_saturate = g_loss


def g_loss(fake_logits, kind):
    if kind == "nonsat":
        return -F.softplus(fake_logits).mean()
    return g_loss_that_does_not_saturate(fake_logits, kind)
