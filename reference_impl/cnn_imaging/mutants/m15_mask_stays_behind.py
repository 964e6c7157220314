"""The image is flipped and turned, the mask is not.

question: q2
caught_by: test_mask_moves_with_the_image
"""

move_both = augment


def augment(x, mask, rng):
    return move_both(x, mask, rng)[0], mask.copy()
