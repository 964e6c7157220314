"""The networks: shapes, receptive fields, skips, and what spectral norm bounds."""

import numpy as np
import pytest
import torch
from torch import nn

from reference_impl.gan_synthesis.networks import (
    PATCH_LAYERS,
    PatchDiscriminator,
    UNetGenerator,
    power_iteration,
    receptive_field,
    spectrally_normalised,
)


def batch(n=2, size=32, seed=0, channels=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, size, size, generator=generator)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return UNetGenerator().eval()


@pytest.fixture
def discriminator():
    torch.manual_seed(1)
    return PatchDiscriminator().eval()


@pytest.mark.parametrize("size", [32, 64, 96])
def test_shapes(generator, discriminator, size):
    x = batch(size=size)
    assert generator(x).shape == x.shape
    assert discriminator(x, x).shape == (2, 1, size // 4, size // 4)


def test_the_documented_number_of_parameters(generator):
    assert sum(p.numel() for p in generator.parameters()) == 29_641


def test_sizes_that_cannot_be_halved_twice_are_refused(generator):
    with pytest.raises(ValueError, match="multiples of 4"):
        generator(batch(size=30))


def test_an_image_is_translated_alike_in_any_company(generator):
    x = batch(5)
    generator.train()
    assert torch.allclose(generator(x)[3], generator(x[3:4])[0], atol=1e-5)


def test_what_the_generator_adds_depends_on_how_bright_an_image_is_as_a_whole(generator):
    x = batch(1)
    added, added_to_half = generator(x) - x, generator(0.5 * x) - 0.5 * x
    assert (added - added_to_half).abs().mean() > 0.01


def test_the_generator_adds_to_the_first_channel_of_its_input():
    generator, x = UNetGenerator(in_channels=2).eval(), batch(channels=2)
    with torch.no_grad():
        generator.head.weight.zero_()
        generator.head.bias.fill_(0.25)
        assert torch.allclose(generator(x), x[:, :1] + 0.25)


def test_skip_connections_carry_what_the_coarse_levels_do_not(generator):
    x = batch(1)
    with torch.no_grad():
        for layer in generator.up:
            layer.weight.zero_()
        added, of_mirrored = generator(x) - x, generator(x.flip(-1)) - x.flip(-1)
    assert (added - of_mirrored).abs().max() > 1e-3


def test_the_discriminator_sees_the_source(discriminator):
    x, one, other = batch(seed=1), batch(seed=2), batch(seed=3)
    assert (discriminator(one, x) - discriminator(other, x)).abs().max() > 1e-4
    assert (discriminator(x, one) - discriminator(x, other)).abs().max() > 1e-4
    assert (discriminator(one, x) - discriminator(x, one)).abs().max() > 1e-4


def support(function, size=64):
    """Side of the square of inputs that the central output depends on."""
    x = torch.rand(1, 1, size, size, dtype=torch.float64, requires_grad=True)
    out = function(x)
    out[0, 0, out.shape[2] // 2, out.shape[3] // 2].backward()
    reached = np.argwhere(x.grad[0, 0].numpy() != 0)
    return (np.ptp(reached, axis=0) + 1).tolist()


def test_the_discriminators_receptive_field_is_the_formulas(discriminator):
    field = receptive_field(PATCH_LAYERS)
    assert field == 18
    assert support(lambda x: discriminator.double()(torch.zeros_like(x), x)) == [field, field]


@pytest.mark.parametrize(
    "layers",
    [[(3, 1)], [(3, 2), (3, 1)], [(4, 2), (4, 2), (4, 2)], [(3, 1, 2), (5, 2), (3, 1, 3)]],
)
def test_receptive_field_is_the_support_of_the_gradient(layers):
    stack = [
        nn.Conv2d(1, 1, k, s, dilation=d[0] if d else 1, dtype=torch.float64) for k, s, *d in layers
    ]
    for layer in stack:
        nn.init.uniform_(layer.weight, 0.5, 1)
    assert support(nn.Sequential(*stack), size=80) == [receptive_field(layers)] * 2


def test_receptive_fields_by_hand():
    assert receptive_field([]) == 1
    assert receptive_field([(1, 2), (3, 1)]) == 5
    assert receptive_field([(4, 2), (4, 2), (4, 2), (4, 1), (4, 1)]) == 70  # Isola et al., 2017


@pytest.mark.parametrize("layers", [[(3,)], [(3, 0)], [(0, 1)], [(3, 1, 1, 1)]])
def test_layers_that_are_none_are_refused(layers):
    with pytest.raises(ValueError, match="layer"):
        receptive_field(layers)


@pytest.mark.parametrize("shape", [(6, 4), (4, 9), (8, 3, 3, 3), (1, 5), (5, 1)])
def test_power_iteration_finds_the_largest_singular_value(shape):
    W = torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    true = torch.linalg.matrix_norm(W.reshape(len(W), -1), ord=2)
    assert power_iteration(W, 500).item() == pytest.approx(true.item(), rel=1e-6)
    assert power_iteration(W, 1) <= true + 1e-12
    assert power_iteration(-W, 500).item() == pytest.approx(true.item(), rel=1e-6)


def test_power_iteration_improves_and_its_gradient_is_that_of_the_norm():
    W = torch.randn(7, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    found = [power_iteration(W, n).item() for n in (1, 3, 10, 100)]
    assert found == sorted(found)
    W.requires_grad_()
    power_iteration(W, 300).backward()
    U, _, V = torch.linalg.svd(W.detach())
    assert torch.allclose(W.grad, torch.outer(U[:, 0], V[0]), atol=1e-6)


def test_power_iteration_of_nothing_is_nothing_and_of_no_steps_is_refused():
    assert power_iteration(torch.zeros(3, 2), 5) == 0
    with pytest.raises(ValueError, match="n must"):
        power_iteration(torch.ones(2, 2), 0)


def test_normalised_weights_have_spectral_norm_one():
    W = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(5))
    sigma = torch.linalg.matrix_norm(spectrally_normalised(W, 200).reshape(8, -1), ord=2)
    assert abs(sigma - 1) < 5e-3


def test_every_layer_of_the_discriminator_has_spectral_norm_one_once_it_has_run():
    torch.manual_seed(2)
    discriminator = PatchDiscriminator()
    for _ in range(30):
        discriminator(batch(), batch(seed=1))
    for layer in discriminator.eval().layers[::2]:
        sigma = torch.linalg.matrix_norm(layer.weight.reshape(len(layer.weight), -1), ord=2)
        assert abs(sigma - 1) < 5e-3


def test_a_convolution_can_stretch_more_than_its_reshaped_kernel():
    W = torch.zeros(1, 1, 3, 3)
    W[0, 0, 1] = 1 / 3**0.5  # norm 1 as a matrix
    row = nn.functional.conv2d(torch.ones(1, 1, 40, 40), W, padding=1)
    assert power_iteration(W) == pytest.approx(1)
    assert row.norm() / 40 > 1.6


def test_weights_have_the_documented_names(generator, discriminator):
    roots = {".".join(name.split(".")[:2]) for name in generator.state_dict()}
    assert roots == {
        "down.0", "down.1", "down.2", "up.0", "up.1", "merge.0", "merge.1", "head.weight",
        "head.bias",
    }  # fmt: skip
    roots = {".".join(name.split(".")[:2]) for name in discriminator.state_dict()}
    assert roots == {"layers.0", "layers.2", "layers.4"}
