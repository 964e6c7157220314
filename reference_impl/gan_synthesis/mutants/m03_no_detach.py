"""The discriminator's loss runs on into the generator.

question: q7
caught_by: test_critic_loss_stops_at_the_image
"""


def critic_loss(D, source, real, fake, kind="hinge"):
    return d_loss(D(source, real), D(source, fake), kind)
