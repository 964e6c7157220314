"""The grader's own data: secret, arranged as promised, and impossible to answer from memory."""

import numpy as np
import pytest

from reference_impl.course_secret import student_rng
from reference_impl.gnn_drug_discovery import baselines, hidden
from reference_impl.gnn_drug_discovery.calibration import atom_counts
from reference_impl.gnn_drug_discovery.metrics import capped_error, spearman
from reference_impl.gnn_drug_discovery.molecules import canonical_key, mol_to_graph
from reference_impl.gnn_drug_discovery.partition import HELD_OUT, PROJECT, read
from reference_impl.gnn_drug_discovery.splitting import scaffold, scaffold_split
from reference_impl.secret import Secret

DRAWS = {
    "solubility": lambda: hidden.solubility_set().smiles,
    "retraining": lambda: hidden.retraining_set().train[0],
    "canary": lambda: hidden.canary(student_rng("canary"))[0],
    "some": lambda: hidden.some_molecules(student_rng("some"), 50),
}


@pytest.fixture(autouse=True, scope="module")
def warm():
    hidden.warm()


def test_warming_reads_the_molecules_and_nothing_reads_them_again():
    before = hidden._stock.cache_info().misses, hidden._held_out.cache_info().misses
    for draw in DRAWS.values():
        draw()
    assert (hidden._stock.cache_info().misses, hidden._held_out.cache_info().misses) == before


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("variable", ["AUTOGRADER_SECRET", "AUTOGRADER_STUDENT"])
def test_another_secret_or_student_gets_another_choice_or_order_and_the_same_one_gets_it_again(
    name, variable, monkeypatch
):
    shown = {}
    for value in ("101", "102"):
        monkeypatch.setenv(variable, value)
        shown[value] = DRAWS[name]()
        assert DRAWS[name]() == shown[value]
    one, other = shown.values()
    assert np.mean([a != b for a, b in zip(one, other, strict=True)]) > 0.8


def test_hidden_solubilities_are_of_compounds_and_scaffolds_that_students_lack():
    known = [row["smiles"] for row in read(PROJECT / "data/solubility/known.csv.gz")]
    kept = [row["smiles"] for row in read(HELD_OUT)]
    assert not {canonical_key(s) for s in known} & {canonical_key(s) for s in kept}
    assert not ({scaffold(s) for s in known} & {scaffold(s) for s in kept}) - {""}
    everything = read(PROJECT / "data/solubility/solubility.csv.gz")
    assert sorted(known + kept) == sorted(row["smiles"] for row in everything)


def test_solubilities_stay_with_their_molecules_in_an_order_that_tells_nothing():
    data = hidden.solubility_set()
    truth = {row["smiles"]: float(row["log_solubility"]) for row in read(HELD_OUT)}
    y = data.y.reveal()
    assert len(data) == len(y) == len(set(data.smiles)) == len(truth)
    assert y.tolist() == [truth[smiles] for smiles in data.smiles]
    assert abs(spearman(y, np.arange(len(y)))) < 0.25


def test_what_answers_are_compared_with_is_secret():
    judged = hidden.retraining_set().evaluation
    assert isinstance(judged.y, Secret) and isinstance(hidden.solubility_set().y, Secret)
    limits = (hidden.ERROR_STEPS, hidden.CANARY_MOST, hidden.RETRAINED_SPEARMAN)
    assert all(isinstance(x, Secret) for x in (*limits, hidden.NEGATED_SPEARMAN))


def test_no_molecule_is_in_two_parts_of_the_retraining_set():
    task = hidden.retraining_set()
    parts = task.train[0], task.val[0], task.evaluation.smiles
    assert [len(part) for part in parts] == [160, 40, 300]
    assert len({canonical_key(smiles) for part in parts for smiles in part}) == 500


def test_made_up_targets_look_like_solubility_and_are_the_students_own(monkeypatch):
    monkeypatch.setenv("AUTOGRADER_STUDENT", "101")
    one = dict(zip(*hidden.retraining_set().train, strict=True))
    monkeypatch.setenv("AUTOGRADER_STUDENT", "102")
    other = dict(zip(*hidden.retraining_set().train, strict=True))
    y = np.array(list(one.values()))
    assert abs(y.mean() + 3) < 0.4 and abs(y.std() - 2) < 0.4
    both = sorted(set(one) & set(other))
    assert len(both) > 15
    assert abs(spearman([one[s] for s in both], [other[s] for s in both])) < 0.9


def test_negating_turns_the_targets_to_learn_from_and_nothing_else():
    task = hidden.retraining_set()
    other = task.negated()
    for part, turned in ((task.train, other.train), (task.val, other.val)):
        assert turned[0] is part[0]
        assert np.array_equal(turned[1], -part[1])
    assert other.evaluation is task.evaluation


def test_the_canary_is_quiet_for_scaffolds_and_sings_for_rows():
    smiles, labels = hidden.canary(np.random.default_rng(0))
    most = hidden.CANARY_MOST.reveal()
    train, *rest = scaffold_split(smiles, (0.6, 0.2, 0.2), seed=0)
    test = np.concatenate(rest)
    assert abs(hidden.nearest_neighbour_accuracy(smiles, labels, train, test) - 0.5) < 0.15
    rows = np.random.default_rng(0).permutation(len(smiles))
    half = np.array_split(rows, 2)
    assert hidden.nearest_neighbour_accuracy(smiles, labels, *half) > most > 0.5


def test_a_scaffolds_coin_is_tossed_once():
    smiles, labels = hidden.canary(np.random.default_rng(3))
    tossed = {}
    for text, label in zip(smiles, labels, strict=True):
        assert tossed.setdefault(scaffold(text), label) == label
    assert "" not in tossed
    assert 0.35 < labels.mean() < 0.65


def test_the_nearest_neighbour_is_the_nearest_by_brute_force():
    from rdkit import Chem
    from rdkit.Chem import AllChem

    smiles, labels = (part[:60] for part in hidden.canary(np.random.default_rng(1)))
    train, test = np.arange(40), np.arange(40, 60)
    found = [AllChem.GetMorganFingerprintAsBitVect(Chem.MolFromSmiles(s), 2, 2048) for s in smiles]
    bits = [set(print_.GetOnBits()) for print_ in found]

    def alike(i, j):
        return len(bits[i] & bits[j]) / len(bits[i] | bits[j])

    nearest = [max(train, key=lambda i: alike(i, j)) for j in test]
    expected = np.mean(labels[nearest] == labels[test])
    assert hidden.nearest_neighbour_accuracy(smiles, labels, train, test) == expected


@pytest.mark.parametrize("columns", [baselines.descriptors, atom_counts])
def test_ridge_regression_does_not_reach_the_first_step(columns):
    known = read(PROJECT / "data/solubility/known.csv.gz")
    smiles = [row["smiles"] for row in known]
    y = np.array([float(row["log_solubility"]) for row in known])
    judged = hidden.solubility_set()
    found = baselines.ridge((columns(smiles), y), columns(judged.smiles))
    part, full = hidden.ERROR_STEPS.reveal()
    assert capped_error(judged.y.reveal(), found) > part >= full > 0


def test_a_molecules_size_does_not_pass_the_retraining():
    task = hidden.retraining_set()
    size = [len(mol_to_graph(smiles)["x"]) for smiles in task.evaluation.smiles]
    limit = hidden.RETRAINED_SPEARMAN.reveal()
    assert abs(spearman(task.evaluation.y.reveal(), size)) < limit
    assert hidden.NEGATED_SPEARMAN.reveal() < 0
