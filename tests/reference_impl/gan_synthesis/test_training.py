"""Training: it learns what it is shown, depends on its seed alone, and ends in time."""

import numpy as np
import pytest
import torch

from reference_impl.gan_synthesis import training
from reference_impl.gan_synthesis.metrics import psnr
from reference_impl.gan_synthesis.networks import UNetGenerator
from reference_impl.gan_synthesis.training import train_translator, translate

FOREVER = 1e9


def smooth(n, seed=0):
    """Images 16 x 16 of a few random waves, and their negatives."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 2 * np.pi, 16)
    phase = rng.uniform(0, 6.3, (n, 1, 1))
    X = 0.5 + 0.25 * np.sin(x[None, :, None] + phase) + 0.2 * np.cos(2 * x[None, None] - phase)
    X = X.astype(np.float32)
    return X, 1 - X


@pytest.fixture(scope="module")
def trained():
    return train_translator(smooth(48), smooth(8, 1), seed=3, max_seconds=FOREVER)


def test_training_learns_the_translation(trained):
    X, y = smooth(20, 2)
    before, after = psnr(X, y, 1.0).mean(), psnr(translate(trained, X), y, 1.0).mean()
    assert after > before + 6


def test_history_has_an_entry_for_each_epoch_and_the_validation_psnr(trained):
    assert len(trained.history) == training.EPOCHS and not trained.training
    X, y = smooth(8, 1)
    assert trained.history[-1][1] == pytest.approx(psnr(translate(trained, X), y, 1.0).mean())
    assert trained.history[-1][0] < 0.5 * trained.history[0][0]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(monkeypatch):
    monkeypatch.setattr(training, "EPOCHS", 2)
    one, again, other = (
        train_translator(smooth(16), smooth(4, 1), s, max_seconds=FOREVER) for s in (0, 0, 1)
    )
    for a, b in zip(one.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert any(
        not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)
    )


def test_bytes_and_floats_are_the_same_images(monkeypatch):
    monkeypatch.setattr(training, "EPOCHS", 1)
    coded = [np.rint(255 * x).astype(np.uint8) for x in smooth(16)]
    floats = [x.astype(np.float32) / 255 for x in coded]
    one, other = (train_translator(pair, pair, 0, max_seconds=FOREVER) for pair in (coded, floats))
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_validation_images_are_never_learnt_from(monkeypatch):
    monkeypatch.setattr(training, "EPOCHS", 2)
    one, other = (
        train_translator(smooth(16), smooth(4, s), 0, max_seconds=FOREVER) for s in (1, 2)
    )
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_training_ends_when_its_time_is_over():
    model = train_translator(smooth(48), smooth(4, 1), max_seconds=0.0)
    assert len(model.history) == 1 and not model.training


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_translations_do_not_depend_on_the_batch(trained, batch):
    X, _ = smooth(9, 4)
    found = translate(trained, X, batch)
    assert found.dtype == np.float32 and found.shape == X.shape
    assert np.allclose(found, translate(trained, X), atol=1e-5)
    assert np.allclose(found[3], translate(trained, X[3:4])[0], atol=1e-5)


def test_translations_are_images_and_the_models_mode_is_kept():
    torch.manual_seed(0)
    model = UNetGenerator().train()
    with torch.no_grad():
        model.head.weight.mul_(50)
    found = translate(model, smooth(3)[0])
    assert model.training and found.min() == 0 and found.max() == 1


def test_no_images_have_no_translations(trained):
    assert translate(trained, np.zeros((0, 16, 16), np.float32)).shape == (0, 16, 16)
