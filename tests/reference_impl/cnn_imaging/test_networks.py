"""The networks: shapes, sizes, structure and names."""

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional

from reference_impl.cnn_imaging.networks import (
    BasicBlock,
    DoubleConv,
    SmallResNet,
    Standardise,
    UNet,
    vgg,
)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def lived_in(model):
    """``model`` with random batch-norm statistics and affine parameters, in evaluation mode."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
    return model.eval()


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("size", [28, 32, 64, 224])
@pytest.mark.parametrize("channels", [1, 3])
def test_resnet_takes_any_size_and_channels(size, channels):
    model = SmallResNet(width=4, n=2, n_classes=5, in_channels=channels)
    assert model(torch.rand(2, channels, size, size)).shape == (2, 5)


@pytest.mark.parametrize(("cin", "cout", "stride"), [(8, 8, 1), (8, 16, 2), (8, 16, 1), (8, 8, 2)])
def test_a_block_equals_torchvisions(cin, cout, stride):
    ours = lived_in(BasicBlock(cin, cout, stride))
    projection = None
    if stride != 1 or cin != cout:
        projection = nn.Sequential(
            nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout)
        )
    theirs = torchvision.models.resnet.BasicBlock(cin, cout, stride, projection).eval()
    weights = {k.replace("shortcut", "downsample"): v for k, v in ours.state_dict().items()}
    theirs.load_state_dict(weights, strict=True)
    x = torch.randn(3, cin, 9, 12)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize(("cin", "cout", "stride"), [(8, 8, 1), (8, 16, 2)])
def test_a_block_whose_last_gamma_is_zero_is_its_shortcut(cin, cout, stride):
    block = lived_in(BasicBlock(cin, cout, stride))
    nn.init.zeros_(block.bn2.weight)
    nn.init.zeros_(block.bn2.bias)
    x = torch.randn(2, cin, 8, 8)
    torch.testing.assert_close(block(x), functional.relu(block.shortcut(x)))


@pytest.mark.parametrize(("width", "n", "classes"), [(16, 1, 2), (8, 2, 3), (12, 3, 1)])
def test_resnet_has_as_many_parameters_as_the_formula(width, n, classes):
    def block(cin, cout, projected):
        return 9 * cin * cout + 9 * cout * cout + 4 * cout + projected * (cin * cout + 2 * cout)

    w1, w2, w3 = width, 2 * width, 4 * width
    total = 27 * w1 + 2 * w1 + block(w1, w1, 0) + block(w1, w2, 1) + block(w2, w3, 1)
    total += (n - 1) * sum(block(w, w, 0) for w in (w1, w2, w3)) + w3 * classes + classes
    assert parameters(SmallResNet(width, n, classes)) == total


def test_sizes_are_as_documented():
    assert parameters(SmallResNet()) == 77_522
    assert parameters(UNet()) == 66_229


@pytest.mark.parametrize("model", [SmallResNet(), UNet(), vgg((8, "M", 16))])
def test_in_evaluation_mode_an_image_does_not_see_its_neighbours(model):
    model = lived_in(model)
    x = torch.rand(7, 3, 32, 32)
    together = model(x)
    for i in range(7):
        torch.testing.assert_close(model(x[i : i + 1]), together[i : i + 1], rtol=1e-4, atol=1e-5)


def test_standardise_is_the_identity_until_it_is_told_the_statistics():
    layer, x = Standardise(3), torch.rand(4, 3, 5, 6)
    assert torch.equal(layer(x), x)
    layer.mean.copy_(x.mean((0, 2, 3)))
    layer.std.copy_(x.std((0, 2, 3), unbiased=False))
    expected = functional.batch_norm(x, layer.mean, layer.std**2, eps=0.0)
    torch.testing.assert_close(layer(x), expected)
    assert set(layer.state_dict()) == {"mean", "std"}
    assert not list(layer.parameters())


def test_vgg_reads_its_configuration():
    model = vgg((8, 8, "M", 16, "M"), n_classes=4, in_channels=1)
    kinds = [type(layer).__name__ for layer in model.features]
    unit = ["Conv2d", "BatchNorm2d", "ReLU"]
    assert kinds == [*unit, *unit, "MaxPool2d", *unit, "MaxPool2d"]
    assert model.features(torch.rand(1, 1, 20, 12)).shape == (1, 16, 5, 3)
    assert model(torch.rand(2, 1, 20, 12)).shape == (2, 4)


def test_unet_keeps_the_resolution_and_refuses_sizes_it_cannot_halve_twice():
    model = UNet(width=4)
    assert model(torch.rand(2, 3, 16, 24)).shape == (2, 1, 16, 24)
    with pytest.raises(ValueError, match="multiples of 4"):
        model(torch.rand(1, 3, 30, 32))


def unet_support(model):
    """Height and width of the part of the image that one output pixel depends on."""
    with torch.no_grad():  # all weights positive, so that no ReLU cuts a path
        for parameter in model.parameters():
            parameter.abs_()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.zero_()
    x = torch.rand(1, 3, 32, 32, requires_grad=True)
    model.double()(x.double())[0, 0, 16, 16].backward()
    rows, columns = torch.nonzero(x.grad.abs().sum((0, 1)), as_tuple=True)
    return (int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1)


def test_unet_joins_what_comes_from_below_first_with_its_skip_connection_second():
    model = lived_in(UNet(width=4))
    nn.init.zeros_(model.merge[1][0].weight[:, :4])
    assert unet_support(model) == (9, 9)  # the four 3x3 convolutions at full resolution

    model = lived_in(UNet(width=4))
    nn.init.zeros_(model.merge[1][0].weight[:, 4:])
    assert min(unet_support(model)) > 16


def test_names_are_as_documented():
    resnet = {name.rsplit(".", 1)[0] for name in SmallResNet().state_dict()}
    assert {"standardise", "stem.0", "stem.1", "stages.2.0.shortcut.1", "head"} <= resnet
    unet = {name.rsplit(".", 1)[0] for name in UNet().state_dict()}
    assert {"down.2.4", "up.1", "merge.0.0", "head", "standardise"} <= unet
    double = {name.split(".")[0] for name in DoubleConv(3, 4).state_dict()}
    assert double == {"0", "1", "3", "4"}
