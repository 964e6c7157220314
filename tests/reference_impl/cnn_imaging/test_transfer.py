"""Transfer: channels, heads, frozen parts."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from reference_impl.cnn_imaging.networks import SmallResNet
from reference_impl.cnn_imaging.transfer import adapt_first_conv, prepare_finetune

FROZEN = ("standardise", "stem", "stages.0")


@pytest.fixture
def source():
    torch.manual_seed(0)
    model = SmallResNet(width=4)
    model.train()
    for _ in range(3):
        model(torch.rand(8, 3, 16, 16))
    return model


def train(model, groups, steps=3):
    optimiser = torch.optim.SGD(groups, momentum=0.9)
    model.train()
    for _ in range(steps):
        loss = functional.cross_entropy(model(torch.rand(8, 3, 16, 16)), torch.arange(8) % 3)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def test_grey_kernels_give_what_repeated_grey_gave():
    w = torch.randn(5, 3, 3, 3, dtype=torch.float64)
    grey = torch.rand(2, 1, 9, 9, dtype=torch.float64)
    before = functional.conv2d(grey.repeat(1, 3, 1, 1), w)
    torch.testing.assert_close(functional.conv2d(grey, adapt_first_conv(w, 1)), before)


def test_further_channels_are_ignored_at_first():
    w = torch.randn(5, 3, 3, 3)
    x = torch.rand(2, 5, 9, 9)
    adapted = adapt_first_conv(w, 5)
    assert adapted.shape == (5, 5, 3, 3)
    torch.testing.assert_close(functional.conv2d(x, adapted), functional.conv2d(x[:, :3], w))


def test_the_kernels_are_copies_without_history():
    w = nn.Parameter(torch.randn(5, 3, 3, 3))
    for channels in (1, 3, 4):
        adapted = adapt_first_conv(w, channels)
        assert not adapted.requires_grad
        adapted.zero_()
    assert w.abs().min() > 0


@pytest.mark.parametrize("channels", [-1, 0, 2])
def test_channels_without_a_rule_are_refused(channels):
    with pytest.raises(ValueError, match="rule"):
        adapt_first_conv(torch.zeros(5, 3, 3, 3), channels)


def test_kernels_that_are_not_for_colour_are_refused():
    with pytest.raises(ValueError, match="kernels"):
        adapt_first_conv(torch.zeros(5, 1, 3, 3), 3)


def test_frozen_parts_do_not_change_in_training_and_the_rest_does(source):
    model, groups = prepare_finetune(source, 3, FROZEN, 0.1, 0.01)
    before = copy.deepcopy(model.state_dict())
    train(model, groups)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith(FROZEN), name


def test_frozen_parts_normalise_by_their_running_statistics_in_training_mode(source):
    model, _ = prepare_finetune(source, 3, ("stem",))
    x = torch.rand(4, 3, 16, 16)
    source.eval()
    model.train()
    assert torch.equal(model.stem(x), source.stem(x))


def test_every_trained_parameter_is_in_exactly_one_group(source):
    model, groups = prepare_finetune(source, 3, FROZEN, 0.1, 0.01)
    grouped = [id(p) for group in groups for p in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(p) for p in model.parameters() if p.requires_grad}
    assert [group["lr"] for group in groups] == [0.1, 0.01]
    assert {id(p) for p in groups[0]["params"]} == {id(p) for p in model.head.parameters()}


def test_the_new_head_is_fresh_and_of_the_right_size(source):
    model, _ = prepare_finetune(source, 2)
    assert (model.head.in_features, model.head.out_features) == (16, 2)
    assert not torch.equal(model.head.weight, source.head.weight)
    assert model.head.weight.abs().max() <= 16**-0.5


def test_the_source_is_left_as_it_was(source):
    before = copy.deepcopy(source.state_dict())
    model, groups = prepare_finetune(source, 3, FROZEN)
    train(model, groups)
    assert all(torch.equal(value, before[name]) for name, value in source.state_dict().items())
    assert all(p.requires_grad for p in source.parameters())
    assert type(source.stem[1]) is nn.BatchNorm2d


def test_names_stay_and_so_weights_can_be_exchanged(source):
    model, _ = prepare_finetune(source, 2, FROZEN)
    assert list(model.state_dict()) == list(source.state_dict())
    SmallResNet(width=4).load_state_dict(model.state_dict(), strict=True)


def test_a_frozen_body_leaves_the_head_alone_to_be_trained(source):
    _, groups = prepare_finetune(source, 3, ("standardise", "stem", "stages"))
    assert len(groups) == 1


def test_a_model_without_a_linear_head_is_refused():
    with pytest.raises(TypeError, match="head"):
        prepare_finetune(_Headless(), 2)


class _Headless(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(1, 1, 1)
