"""Training: it learns what it is given, repeats itself, and answers molecule by molecule."""

import numpy as np
import pytest
import torch

from reference_impl.gnn_drug_discovery import training
from reference_impl.gnn_drug_discovery.metrics import rmse, spearman
from reference_impl.gnn_drug_discovery.partition import PROJECT, read
from reference_impl.gnn_drug_discovery.training import (
    predict,
    predict_affinity,
    train_affinity,
    train_regressor,
)


@pytest.fixture(scope="module", autouse=True)
def short():
    """Few epochs, as nothing here needs the best model; one thread, as sums then repeat exactly."""
    patch, threads = pytest.MonkeyPatch(), torch.get_num_threads()
    patch.setattr(training, "EPOCHS", 8)
    patch.setattr(training, "AFFINITY_EPOCHS", 5)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    patch.undo()


@pytest.fixture(scope="module")
def parts():
    rows = read(PROJECT / "data/solubility/known.csv.gz")[::4]
    smiles = [row["smiles"] for row in rows]
    y = np.array([float(row["log_solubility"]) for row in rows])
    return (smiles[:160], y[:160]), (smiles[160:180], y[160:180]), (smiles[180:], y[180:])


@pytest.fixture(scope="module")
def model(parts):
    return train_regressor(parts[0], parts[1], seed=1, max_seconds=600)


def test_it_learns_and_answers_in_the_unit_it_was_given(parts, model):
    (_, y), _, (smiles, truth) = parts
    found = predict(model, smiles)
    assert found.shape == truth.shape and found.dtype == np.float64
    assert rmse(truth, found) < 0.8 * rmse(truth, np.full(len(truth), y.mean()))


def test_it_learns_from_the_targets_it_is_given(parts):
    (smiles, y), val, (asked, truth) = parts
    shifted = train_regressor((smiles, 100 - 10 * y), (val[0], 100 - 10 * val[1]), seed=1,
                              max_seconds=600)  # fmt: skip
    found = predict(shifted, asked)
    assert spearman(truth, found) < -0.5
    assert abs(found.mean() - (100 - 10 * truth.mean())) < 10


def test_it_comes_back_ready_to_be_asked_with_a_record_of_training(parts, model):
    assert not model.training
    losses, watched = zip(*model.history, strict=True)
    assert len(losses) == training.EPOCHS
    assert losses[-1] < losses[0]
    assert watched[-1] == pytest.approx(rmse(parts[1][1], predict(model, parts[1][0])))


def test_the_training_targets_scale_is_inside_the_model(parts, model):
    y = parts[0][1]
    assert model.target_mean.item() == pytest.approx(y.mean(), rel=1e-6)
    assert model.target_std.item() == pytest.approx(y.std(), rel=1e-6)


def test_the_seed_decides(parts):
    def weights(seed):
        few = (parts[0][0][:40], parts[0][1][:40])
        state = train_regressor(few, parts[1], seed=seed, max_seconds=0.0).state_dict()
        return torch.cat([value.flatten().float() for value in state.values()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


def test_training_ends_when_time_is_over(parts):
    assert len(train_regressor(parts[0], parts[1], max_seconds=0.0).history) == 1


def test_validation_molecules_are_never_learnt_from(parts, model):
    (smiles, y), _, _ = parts
    other = train_regressor((smiles, y), (smiles[:5], y[:5]), seed=1, max_seconds=600)
    assert torch.equal(other.head[2].weight, model.head[2].weight)


@pytest.mark.parametrize("batch", [1, 7])
def test_an_answer_depends_on_its_molecule_alone(parts, model, batch):
    smiles = parts[2][0][:30]
    order = np.argsort([len(text) for text in smiles])
    whole = predict(model, smiles)
    found = predict(model, [smiles[row] for row in order], batch=batch)
    assert np.allclose(found, whole[order], atol=1e-4)


def test_asking_leaves_mode_and_statistics_as_they_were(parts, model):
    before = model.layers[0].norm.running_mean.clone()
    model.train()
    predict(model, parts[2][0][:5])
    assert model.training
    assert torch.equal(model.layers[0].norm.running_mean, before)
    model.eval()


def test_no_molecules_are_no_error_and_no_molecule_is_one(model):
    assert predict(model, []).shape == (0,)
    with pytest.raises(ValueError, match="row 1 is no molecule: 'nonsense'"):
        predict(model, ["C", "nonsense"])


def test_affinity_learns_from_both_partners():
    rng = np.random.default_rng(0)
    drugs, proteins = ["C" * n for n in range(1, 13)], ["A" * n + "G" * (12 - n) for n in range(12)]
    chosen = rng.integers(0, 12, (300, 2))
    pairs = [(drugs[d], proteins[t]) for d, t in chosen]
    y = 5.0 + chosen @ [0.3, 0.3]
    model = train_affinity((pairs[:250], y[:250]), (pairs[250:], y[250:]), seed=0)
    found = predict_affinity(model, pairs[250:])
    assert rmse(y[250:], found) < 0.6 * y.std()
    assert model.history[-1][0] < model.history[0][0]
    swapped = predict_affinity(model, [(drugs[d], proteins[11 - t]) for d, t in chosen[250:]])
    assert np.abs(swapped - found).max() > 0.1
