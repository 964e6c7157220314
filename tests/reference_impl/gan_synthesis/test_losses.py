"""Adversarial losses against closed forms and analytic critics, where errors show."""

import math

import pytest
import torch

from reference_impl.gan_synthesis import losses
from reference_impl.gan_synthesis.losses import (
    KINDS,
    critic_loss,
    d_loss,
    g_loss,
    generator_loss,
    gradient_penalty,
    r1,
)

REAL = torch.tensor([3.0, -3.0, 0.5, 1.7], dtype=torch.float64)
FAKE = torch.tensor([-3.0, 2.0, 0.3], dtype=torch.float64)


def softplus(x):
    return math.log1p(math.exp(x))


BY_HAND_D = {
    "nonsat": sum(softplus(-r) for r in REAL.tolist()) / 4
    + sum(softplus(f) for f in FAKE.tolist()) / 3,
    "lsgan": sum((r - 1) ** 2 for r in REAL.tolist()) / 8 + sum(f**2 for f in FAKE.tolist()) / 6,
    "hinge": (0 + 4 + 0.5 + 0) / 4 + (0 + 3 + 1.3) / 3,
    "wgan": (-3 + 2 + 0.3) / 3 - (3 - 3 + 0.5 + 1.7) / 4,
}
BY_HAND_G = {
    "nonsat": sum(softplus(-f) for f in FAKE.tolist()) / 3,
    "lsgan": (16 + 1 + 0.49) / 6,
    "hinge": 0.7 / 3,
    "wgan": 0.7 / 3,
}


@pytest.mark.parametrize("kind", KINDS)
def test_losses_equal_their_closed_forms(kind):
    assert d_loss(REAL, FAKE, kind).item() == pytest.approx(BY_HAND_D[kind], abs=1e-12)
    assert g_loss(FAKE, kind).item() == pytest.approx(BY_HAND_G[kind], abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_discriminator_wants_real_up_and_fake_down_and_the_generator_fake_up(kind):
    real, fake = (torch.linspace(-2, 0.9, 5).clone().requires_grad_() for _ in range(2))
    d_loss(real, fake, kind).backward()
    assert (real.grad < 0).all()
    falling = (fake.grad > 0) if kind != "lsgan" else (fake.grad * fake.detach() >= 0)
    assert falling[fake.detach() > -1].all()
    fake.grad = None
    g_loss(fake, kind).backward()
    assert (fake.grad < 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_losses_are_means_over_patches(kind):
    real, fake = REAL.reshape(4, 1, 1, 1), FAKE.reshape(3, 1, 1, 1)
    many = d_loss(real.expand(4, 1, 5, 7), fake.expand(3, 1, 5, 7), kind)
    assert many.item() == pytest.approx(d_loss(REAL, FAKE, kind).item(), abs=1e-12)
    assert g_loss(fake.expand(3, 1, 5, 7), kind).item() == pytest.approx(BY_HAND_G[kind])


def test_nonsat_is_finite_at_huge_logits():
    huge = torch.tensor([1e4, -1e4])
    assert torch.isfinite(d_loss(huge, huge, "nonsat")) and torch.isfinite(g_loss(huge, "nonsat"))


@pytest.mark.parametrize("call", [lambda: d_loss(REAL, FAKE, "gan"), lambda: g_loss(FAKE, "gan")])
def test_an_unknown_kind_is_refused(call):
    with pytest.raises(ValueError, match="'gan'"):
        call()


def images(seed, n=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 2, 4, 5, generator=generator, dtype=torch.float64)


def alphas(n=3):
    return torch.linspace(0.1, 0.8, n, dtype=torch.float64).reshape(n, 1, 1, 1)


class Linear:
    """``D(x) = <w, x>``; the gradient is ``w`` everywhere."""

    def __init__(self, seed=9, patches=1):
        self.w = (images(seed, 1)[0] / 4).requires_grad_()
        self.patches = patches

    def __call__(self, x):
        return (x * self.w).sum(dim=(1, 2, 3))[:, None].expand(-1, self.patches)


class Quadratic:
    """``D(x) = |a x|^2 / 2``, pixel by pixel; the gradient is ``a^2 x``."""

    def __init__(self, seed=8):
        self.a = (1 + 0.3 * images(seed, 1)[0]).requires_grad_()

    def __call__(self, x):
        return ((self.a * x) ** 2).sum(dim=(1, 2, 3)) / 2


@pytest.mark.parametrize("patches", [1, 6])
def test_penalty_of_a_linear_critic_and_its_gradient_are_known(patches):
    critic = Linear(patches=patches)
    penalty = gradient_penalty(critic, images(1), images(2), alphas(), lam=7.0)
    norm = critic.w.detach().norm()
    assert penalty.item() == pytest.approx(7 * (norm - 1).item() ** 2, rel=1e-12)
    penalty.backward()
    assert torch.allclose(critic.w.grad, 14 * (norm - 1) * critic.w.detach() / norm, rtol=1e-9)


def test_penalty_takes_each_images_own_norm_between_real_and_fake():
    critic, real, fake = Quadratic(), images(3), 3 * images(4)
    between = alphas() * real + (1 - alphas()) * fake
    norms = (critic.a.detach() ** 2 * between).flatten(1).norm(dim=1)
    found = gradient_penalty(critic, real, fake, alphas(), lam=10.0)
    assert found.item() == pytest.approx(10 * ((norms - 1) ** 2).mean().item(), rel=1e-12)


@pytest.mark.parametrize("shape", [(3,), (1, 1, 1, 1), (3, 2, 4, 5)])
def test_one_alpha_an_image_is_demanded(shape):
    with pytest.raises(ValueError, match="alpha"):
        gradient_penalty(Linear(), images(1), images(2), torch.full(shape, 0.5))


def test_r1_of_a_quadratic_critic_is_known_and_trains_it():
    critic, real = Quadratic(), images(5)
    expected = 1.5 * (critic.a.detach() ** 2 * real).square().flatten(1).sum(dim=1).mean()
    penalty = r1(critic, real, gamma=3.0)
    assert penalty.item() == pytest.approx(expected.item(), rel=1e-12)
    penalty.backward()
    by_hand = 1.5 * (4 * critic.a.detach() ** 3 * real**2).mean(dim=0)
    assert torch.allclose(critic.a.grad, by_hand, rtol=1e-9)


def test_lazy_r1_is_as_strong_on_average():
    assert r1(Quadratic(), images(5), 2.0, 16).item() == pytest.approx(
        16 * r1(Quadratic(), images(5), 2.0).item()
    )


def test_penalties_do_not_reach_the_images():
    real, fake = images(6).requires_grad_(), images(7).requires_grad_()
    (gradient_penalty(Quadratic(), real, fake, alphas()) + r1(Quadratic(), real)).backward()
    assert real.grad is None and fake.grad is None


def conditional(source, image):
    return ((source + 2 * image) ** 2).mean(dim=1)


@pytest.mark.parametrize("kind", KINDS)
def test_losses_of_a_pair_are_built_of_the_others(kind):
    source, real, fake = images(1), images(2), images(3)
    expected = d_loss(conditional(source, real), conditional(source, fake), kind)
    assert critic_loss(conditional, source, real, fake, kind) == expected
    judged = g_loss(conditional(source, fake), kind)
    expected = (fake - real).abs().mean() + 0.3 * judged
    assert generator_loss(conditional, source, real, fake, kind, 0.3) == expected


def test_only_the_generators_loss_reaches_the_generator():
    source, real, fake = images(1), images(2), images(3).requires_grad_()
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)

    def critic(s, x):
        return weight * conditional(s, x)

    critic_loss(critic, source, real, fake, "wgan").backward()
    assert fake.grad is None and weight.grad.abs() > 0
    generator_loss(critic, source, real, fake, "wgan").backward()
    assert fake.grad.abs().sum() > 0


def test_every_public_name_is_listed():
    assert set(losses.__all__) >= {"d_loss", "g_loss", "gradient_penalty", "r1"}
