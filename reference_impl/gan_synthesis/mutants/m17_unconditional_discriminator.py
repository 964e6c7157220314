"""The discriminator looks at the image and not at what it was translated from.

question: q6
caught_by: test_discriminator_sees_the_source
"""


class PatchDiscriminator(PatchDiscriminator):
    def forward(self, source, image):
        return super().forward(image, image)
