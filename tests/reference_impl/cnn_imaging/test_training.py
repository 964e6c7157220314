"""Training the classifier: it learns what it is given, and answers image by image."""

import numpy as np
import pytest
import torch

from reference_impl.cnn_imaging import dermsim, training
from reference_impl.cnn_imaging.metrics import roc_auc
from reference_impl.cnn_imaging.training import predict_proba, to_unit, train_classifier


@pytest.fixture(scope="module")
def parts():
    rng = np.random.default_rng(0)
    plain = {"views": (1, 0, 0, 0), "prevalence": 0.5, "signs": 4.0}
    train, val, test = (dermsim.cohort(n, rng, **plain) for n in (120, 30, 200))
    return (train.X, train.y), (val.X, val.y), (test.X, test.y)


@pytest.fixture(scope="module")
def model(parts):
    return train_classifier(parts[0], parts[1], seed=1, max_seconds=600)


def test_it_learns_from_the_labels_it_is_given(parts, model):
    (X, y), val, test = parts
    assert roc_auc(test[1], predict_proba(model, test[0])) > 0.75
    flipped = train_classifier((X, 1 - y), (val[0], 1 - val[1]), seed=1, max_seconds=600)
    assert roc_auc(test[1], predict_proba(flipped, test[0])) < 0.25


def test_it_comes_back_ready_to_be_asked_with_a_record_of_training(parts, model):
    assert not model.training
    assert len(model.history) == training.EPOCHS
    losses, aucs = zip(*model.history, strict=True)
    assert losses[-1] < losses[0]
    assert aucs[-1] == pytest.approx(roc_auc(parts[1][1], predict_proba(model, parts[1][0])))


def test_the_training_statistics_are_inside_the_model(parts, model):
    X = parts[0][0] / 255
    assert np.allclose(model.standardise.mean, X.mean((0, 2, 3)), atol=1e-6)
    assert np.allclose(model.standardise.std, X.std((0, 2, 3)), atol=1e-6)


def test_the_seed_decides(parts):
    def weights(seed):
        few = (parts[0][0][:40], parts[0][1][:40])
        state = train_classifier(few, parts[1], seed=seed, max_seconds=0.0).state_dict()
        return torch.cat([value.flatten().float() for value in state.values()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


def test_training_ends_when_time_is_over(parts):
    assert len(train_classifier(parts[0], parts[1], max_seconds=0.0).history) == 1


def test_validation_images_are_never_learnt_from(parts, model):
    (X, y), _, _ = parts
    other = train_classifier((X, y), (X[:10], y[:10]), seed=1, max_seconds=600)
    assert torch.equal(other.head.weight, model.head.weight)


@pytest.mark.parametrize("batch", [1, 7, 128])
def test_an_answer_depends_on_its_image_alone_even_in_sorted_batches(parts, model, batch):
    X, y = parts[2]
    order = np.argsort(y, kind="stable")
    whole = predict_proba(model, X)
    assert np.allclose(predict_proba(model, X[order], batch=batch), whole[order], atol=1e-5)


def test_probabilities_are_those_of_the_second_class(parts, model):
    X = parts[2][0][:20]
    p = predict_proba(model, X)
    with torch.inference_mode():
        logits = model(to_unit(X))
    assert p.shape == (20,)
    assert p.dtype == np.float32
    assert np.allclose(p, torch.sigmoid(logits[:, 1] - logits[:, 0]), atol=1e-6)
    assert predict_proba(model, X[:0]).shape == (0,)


def test_asking_leaves_the_mode_and_the_statistics_as_they_were(parts, model):
    before = model.stem[1].running_mean.clone()
    model.train()
    predict_proba(model, parts[2][0][:8])
    assert model.training
    assert torch.equal(model.stem[1].running_mean, before)
    model.eval()


def test_bytes_and_unit_floats_mean_the_same(parts, model):
    X = parts[2][0][:8]
    assert torch.allclose(to_unit(X), to_unit(X / 255))
    assert to_unit(X).dtype == torch.float32
    assert np.allclose(predict_proba(model, X), predict_proba(model, X / 255), atol=1e-6)
