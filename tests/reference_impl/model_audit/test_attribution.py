"""Attributions against closed forms and finite sums; the cascade against explainers that tell."""

import numpy as np
import pytest
import torch
from torch import nn

from reference_impl.model_audit.attribution import (
    integrated_gradients,
    randomised,
    saliency_sanity,
)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))


def gradient(model, x):
    point = x.clone().requires_grad_()
    return torch.autograd.grad(model(point).sum(), point)[0]


def test_a_linear_function_needs_one_step():
    w, x, x0 = torch.randn(4), torch.randn(3, 4), torch.randn(3, 4)
    got = integrated_gradients(lambda v: v @ w, x, x0, steps=1)
    assert torch.allclose(got, w * (x - x0), atol=1e-6)


def test_midpoints_are_exact_for_a_quadratic():
    x, x0 = torch.randn(2, 3, 4, dtype=torch.float64)
    got = integrated_gradients(lambda v: v.square().sum(1), x, x0, steps=2)
    assert torch.allclose(got, x**2 - x0**2)


def test_sums_are_the_change_of_the_output():
    model, x, x0 = net(), torch.randn(5, 6), torch.zeros(1, 6)
    got = integrated_gradients(lambda v: model(v)[:, 0], x, x0, steps=2000).sum(1)
    expected = (model(x) - model(x0))[:, 0]
    assert torch.allclose(got, expected.detach(), atol=2e-3)


def test_a_function_that_is_flat_at_the_input_still_gets_its_rise():
    x = torch.tensor([[2.0]])
    got = integrated_gradients(lambda v: (1 - torch.relu(1 - v))[:, 0], x, torch.zeros(1, 1), 100)
    assert got.item() == pytest.approx(1, abs=0.02)


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        integrated_gradients(torch.sum, torch.ones(1, 1), torch.zeros(1, 1), steps=0)


def test_layers_are_destroyed_from_the_output_and_stay_so():
    model = net()
    before = {name: p.clone() for name, p in model.named_parameters()}
    changed = []
    for name, ruin in randomised(model, seed=3):
        now = {n.partition(".")[0] for n, p in ruin.named_parameters() if not p.equal(before[n])}
        changed.append((name, now))
    assert changed == [("4", {"4"}), ("2", {"2", "4"}), ("0", {"0", "2", "4"})]


def test_the_model_and_the_random_state_are_left_alone():
    model, x = net(), torch.randn(3, 6)
    before = [p.clone() for p in model.parameters()]
    state = torch.get_rng_state()
    first = saliency_sanity(model, gradient, x, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert torch.equal(state, torch.get_rng_state())
    assert saliency_sanity(model, gradient, x, seed=1) == first


def test_what_never_looks_at_the_model_is_flagged():
    report = saliency_sanity(net(), lambda model, x: x, torch.randn(3, 6))
    assert report["flag"]
    assert list(report["layers"].values()) == pytest.approx([1, 1, 1])


def test_a_map_that_is_constant_or_new_noise_is_not_flagged():
    x = torch.randn(3, 500)
    model = nn.Linear(500, 1)
    for explainer in (lambda model, x: torch.ones_like(x), lambda model, x: torch.randn_like(x)):
        assert not saliency_sanity(model, explainer, x)["flag"]


def test_the_sign_of_a_map_plays_no_part():
    signs = iter([1, -1])
    report = saliency_sanity(nn.Linear(9, 1), lambda model, x: next(signs) * x, torch.randn(2, 9))
    assert np.mean(list(report["layers"].values())) == pytest.approx(1)
