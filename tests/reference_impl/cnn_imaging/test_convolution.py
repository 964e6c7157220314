"""Convolution against PyTorch's own."""

import itertools

import pytest
import torch
from torch.nn import functional

from reference_impl.cnn_imaging.convolution import conv2d

CASES = [
    (k, stride, padding, dilation, groups)
    for k, stride, padding, dilation, groups in itertools.product(
        (1, 3, 5), (1, 2, 3), (0, 2, (1, 3)), (1, 2), (1, 2, 4)
    )
]


def drawn(k, groups, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    return normal(2, 4, 11, 14), normal(8, 4 // groups, k, k), normal(8)


@pytest.mark.parametrize(("k", "stride", "padding", "dilation", "groups"), CASES)
def test_it_equals_pytorch(k, stride, padding, dilation, groups):
    x, w, b = drawn(k, groups)
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    for bias in (b, None):
        expected = functional.conv2d(x, w, bias, **settings)
        torch.testing.assert_close(conv2d(x, w, bias, **settings), expected, rtol=0, atol=1e-10)


def test_kernels_and_settings_need_not_be_square():
    x, _, b = drawn(1, 1)
    w = torch.randn(8, 4, 2, 5, dtype=torch.float64)
    settings = {"stride": (2, 1), "padding": (0, 3), "dilation": (3, 2)}
    expected = functional.conv2d(x, w, b, **settings)
    torch.testing.assert_close(conv2d(x, w, b, **settings), expected, rtol=0, atol=1e-10)


def test_gradients_equal_pytorch():
    inputs = [t.requires_grad_() for t in drawn(3, 2)]
    settings = {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}
    ours, theirs = conv2d(*inputs, **settings), functional.conv2d(*inputs, **settings)
    weight = torch.randn_like(ours)
    for a, b in zip(
        torch.autograd.grad(ours, inputs, weight),
        torch.autograd.grad(theirs, inputs, weight),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def test_the_kernel_is_not_flipped():
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 2, 2] = 1
    w = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert torch.equal(conv2d(x, w)[0, 0], w[0, 0].flip(0, 1))


@pytest.mark.parametrize(
    ("shape", "groups"), [((8, 4, 3, 3), 2), ((9, 2, 3, 3), 2), ((8, 3, 3, 3), 1)]
)
def test_channels_that_do_not_fit_are_refused(shape, groups):
    with pytest.raises(ValueError, match="groups"):
        conv2d(torch.zeros(1, 4, 8, 8), torch.zeros(shape), groups=groups)
