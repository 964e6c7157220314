"""What students are given beside the notebook does what its docstrings say."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from autograder import coursekit
from reference_impl.gan_synthesis import distributions, losses, networks, training

FILE = Path(__file__).parents[3] / "solutions/gan_synthesis/synthesis_lab.py"


@pytest.fixture(scope="module")
def lab():
    pytest.importorskip("matplotlib").use("Agg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "coursekit", coursekit)
        spec = importlib.util.spec_from_file_location("synthesis_lab", FILE)
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, "synthesis_lab", module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def slope(critic, x):
    """Gradient of each image's score by that image, as rows."""
    at = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(critic(at).sum(), at)
    return found.flatten(1)


def test_linear_critic_has_its_weights_as_gradient_everywhere(lab, rng):
    w = rng.normal(size=(1, 3, 4))
    x = torch.from_numpy(rng.normal(size=(5, 1, 3, 4)))
    critic = lab.LinearCritic(w)
    assert critic(x).shape == (5,)
    assert torch.allclose(slope(critic, x), torch.from_numpy(w).flatten().expand(5, 12))


def test_quadratic_critic_has_the_gradient_Ax(lab, rng):
    A = rng.normal(size=(6, 6))
    x = torch.from_numpy(rng.normal(size=(4, 1, 2, 3)))
    symmetric = torch.from_numpy((A + A.T) / 2)
    assert torch.allclose(slope(lab.QuadraticCritic(A), x), x.flatten(1) @ symmetric)


def test_patch_critic_gives_a_logit_a_pixel(lab, rng):
    w = rng.normal(size=(1, 2, 3))
    x = torch.from_numpy(rng.normal(size=(4, 1, 2, 3)))
    assert torch.allclose(lab.PatchCritic(w)(x), x * torch.from_numpy(w))


def test_pair_critic_tells_source_from_image(lab):
    two, three = torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1, 1), 3.0)
    critic = lab.PairCritic(1.0, 10.0, 100.0)
    assert critic(two, three).item() == pytest.approx(2 + 30 + 600)
    assert critic(three, two).item() == pytest.approx(3 + 20 + 600)


def test_value_and_gradient_is_that_of_the_penalty(lab, rng):
    w = rng.normal(size=(1, 3, 3))
    real, fake = (torch.from_numpy(rng.normal(size=(4, 1, 3, 3))) for _ in range(2))
    alpha = torch.full((4, 1, 1, 1), 0.25, dtype=torch.float64)
    result = lab.LinearCritic(w).value_and_gradient(losses.gradient_penalty, real, fake, alpha, 2.0)
    norm = np.linalg.norm(w)
    assert result["value"] == pytest.approx(2 * (norm - 1) ** 2)
    assert np.allclose(result["gradient"], 4 * (norm - 1) * w / norm)


def test_value_without_a_graph_has_the_gradient_zero(lab):
    critic = lab.LinearCritic(np.ones((1, 1, 2)))
    result = critic.value_and_gradient(lambda D, x: D(x).detach().sum(), torch.ones(1, 1, 1, 2))
    assert result["value"] == 2
    assert not result["gradient"].any()


@pytest.mark.parametrize("kind", distributions.VERDICTS)
def test_practice_generators_have_the_fault_they_are_named_after(lab, kind):
    for seed in range(3):
        world = lab.practice(kind, seed=seed)
        assert distributions.mode_collapse_report(*world)["verdict"] == kind
    assert {array.shape for array in lab.practice(kind, n=60)} == {(60, 2)}


def test_practice_repeats_with_its_seed_and_refuses_unknown_generators(lab):
    first, again, other = (lab.practice("faithful", seed=seed) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first.fake != other.fake).any()
    with pytest.raises(ValueError, match="no generator 'honest'"):
        lab.practice("honest")


def test_given_parts_are_those_of_the_reference(lab):
    ours, theirs = networks.ConvBlock(4, 8), lab.ConvBlock(4, 8)
    theirs.load_state_dict(ours.state_dict())
    x = torch.linspace(-1, 1, 2 * 4 * 36).reshape(2, 4, 6, 6)
    assert torch.equal(ours(x), theirs(x))
    for images in (np.array([[[0, 255]]], np.uint8), np.array([[[0.25, 0.5]]])):
        assert torch.equal(lab.to_unit(images), training.to_unit(images))


def test_convolution_norm_of_known_kernels(lab):
    point = torch.zeros(1, 1, 3, 3)
    point[0, 0, 1, 1] = -2
    assert lab.convolution_norm(point) == pytest.approx(2, rel=1e-4)
    mean = torch.full((1, 1, 3, 3), 1 / 9)
    assert lab.convolution_norm(mean, size=48) == pytest.approx(1, rel=0.02)


def test_moody_translator_answers_as_in_evaluation_mode_and_keeps_its_mode(lab, rng):
    X = rng.random((3, 8, 8)).astype(np.float32)
    model = lab.MoodyTranslator(seed=3)
    expected = model.evaluated(X)
    assert model.training
    assert np.array_equal(expected, model.evaluated(X))
    assert np.allclose(expected, training.translate(model, X))
    in_training = model(lab.to_unit(X))[:, 0].detach().numpy()
    assert np.abs(in_training - expected).max() > 0.01


def test_region_means_are_means_of_regions(lab):
    image = np.kron(np.arange(9.0).reshape(3, 3), np.ones((4, 4)))
    assert np.allclose(lab.region_means(image[None]), [np.arange(9)])


def test_every_figure_is_drawn(lab, rng):
    from matplotlib import pyplot

    images = rng.random((3, 8, 8))
    lab.use_course_style()
    lab.show_images(list(images), ["a", "b", "c"], "heading", "unit", signed=[False, False, True])
    lab.show_translation(images, images, images[::-1], "heading", "unit", contour=images > 0.8)
    lab.show_curves([1, 2], {"one": [1, 2]}, "x (s)", "y (s)", "title", (0, 1), True, (1.5,))
    lab.show_histograms({"one": images}, "x (s)", "title", {"flat": np.ones_like})
    lab.show_samples({"one": images[0, :, :2]}, images[1, :, :2], "heading")
    figures = [pyplot.figure(number) for number in pyplot.get_fignums()]
    assert len(figures) == 5
    for figure in figures:
        figure.canvas.draw()
    pyplot.close("all")
