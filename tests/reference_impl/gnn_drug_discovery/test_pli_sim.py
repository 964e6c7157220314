"""The simulator of binding has the shares of variance that it says it has."""

import itertools

import numpy as np
import pytest
from rdkit import Chem

from reference_impl.gnn_drug_discovery import pli_sim
from reference_impl.gnn_drug_discovery.baselines import additive_baseline
from reference_impl.gnn_drug_discovery.pli_sim import FRAGMENTS, RESIDUES, RINGS, SHARES


@pytest.fixture(scope="module")
def full():
    """Every pair of many drugs and pockets."""
    rng = np.random.default_rng(1)
    given = pli_sim.world(rng)
    return given, pli_sim.screen(given, rng, ligands=1200, pockets=900, pairs=1200 * 900)


def test_the_shares_hold_exactly_in_the_population():
    for seed in range(5):
        given = pli_sim.world(np.random.default_rng(seed))
        assert (given.ring**2).mean() + 3 * (given.fragment**2).mean() == pytest.approx(0.35)
        assert 12 * (given.residue**2).mean() == pytest.approx(0.25)
        assert 3 * 12 * (given.contact**2).mean() == pytest.approx(0.30)
        assert given.noise**2 == pytest.approx(0.10)
        for effect in (given.ring, given.fragment, given.residue):
            assert effect.mean() == pytest.approx(0, abs=1e-12)
        for axis in (0, 1):
            assert np.abs(given.contact.mean(axis=axis)).max() <= 1e-12
        assert np.linalg.matrix_rank(given.contact) == 2


def test_the_shares_hold_in_a_large_screen(full):
    _, drawn = full
    for name, share in SHARES.items():
        # Drugs and pockets, not pairs, are the independent draws: some per cent of error.
        assert drawn.parts[name].var() == pytest.approx(share, rel=0.15), name
    assert drawn.y.var() == pytest.approx(1, rel=0.08)
    assert drawn.y.mean() == pytest.approx(pli_sim.MEAN, abs=0.1)
    for one, other in itertools.combinations(drawn.parts.values(), 2):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.08


def test_affinity_is_the_sum_of_its_parts_and_each_part_that_of_its_groups(full):
    given, drawn = full
    assert np.allclose(drawn.y, pli_sim.MEAN + sum(drawn.parts.values()))
    for row in np.random.default_rng(0).choice(len(drawn.y), 50, replace=False):
        drug, pocket = drawn.pairs[row]
        ring, fragments = read_back(drawn.smiles[drug])
        letters = [RESIDUES.index(letter) for letter in drawn.pockets[pocket]]
        assert drawn.parts["ligand"][row] == pytest.approx(
            given.ring[ring] + given.fragment[fragments].sum()
        )
        assert drawn.parts["pocket"][row] == pytest.approx(given.residue[letters].sum())
        assert drawn.parts["interaction"][row] == pytest.approx(
            given.contact[np.ix_(fragments, letters)].sum()
        )


def read_back(smiles):
    for ring, pattern in enumerate(RINGS):
        for chosen in itertools.combinations_with_replacement(range(len(FRAGMENTS)), 3):
            if pattern.format(*(FRAGMENTS[f] for f in chosen)) == smiles:
                return ring, list(chosen)
    raise AssertionError(smiles)


def test_noise_is_normal_and_independent_of_everything(full):
    from scipy.stats import kurtosis, skew

    noise = full[1].parts["noise"]
    assert abs(skew(noise)) < 5 * np.sqrt(6 / len(noise))
    assert abs(kurtosis(noise)) < 5 * np.sqrt(24 / len(noise))


def test_what_no_additive_model_can_find_is_interaction_and_noise(full):
    _, drawn = full
    fitted = additive_baseline((drawn.pairs, drawn.y), drawn.pairs)
    left = np.mean((drawn.y - fitted) ** 2)
    assert left == pytest.approx(SHARES["interaction"] + SHARES["noise"], rel=0.1)


def test_without_interaction_means_are_all_there_is():
    shares = {"ligand": 0.5, "pocket": 0.5, "interaction": 0.0, "noise": 0.0}
    rng = np.random.default_rng(0)
    drawn = pli_sim.screen(pli_sim.world(rng, shares), rng, 60, 50, 3000)
    assert np.allclose(additive_baseline((drawn.pairs, drawn.y), drawn.pairs), drawn.y)


def test_every_drug_is_a_molecule_with_three_substituents():
    for ring in RINGS:
        for f in FRAGMENTS:
            molecule = Chem.MolFromSmiles(ring.format(f, f, f))
            assert molecule is not None
            core = Chem.MolFromSmiles(ring.format("*", "*", "*"))
            wanted = core.GetNumAtoms() - 3 + 3 * Chem.MolFromSmiles(f).GetNumAtoms()
            assert molecule.GetNumAtoms() == wanted
            assert "." not in Chem.MolToSmiles(molecule)


def test_no_drug_pocket_or_pair_is_drawn_twice():
    drawn = pli_sim.public_screen()
    molecules = {Chem.CanonSmiles(smiles) for smiles in drawn.smiles}
    assert (len(molecules), len(set(drawn.pockets))) == (200, 100)
    assert len({tuple(pair) for pair in drawn.pairs.tolist()}) == len(drawn.y) == 4000
    assert all(len(pocket) == 12 and set(pocket) <= set(RESIDUES) for pocket in drawn.pockets)


def test_the_generator_decides():
    one, again = pli_sim.public_screen(), pli_sim.public_screen()
    assert one.smiles == again.smiles and np.array_equal(one.y, again.y)
    rng = np.random.default_rng(1)
    other = pli_sim.screen(pli_sim.world(rng), rng)
    assert not np.array_equal(one.y, other.y)


def test_impossible_wishes_are_errors():
    rng = np.random.default_rng(0)
    given = pli_sim.world(rng)
    with pytest.raises(ValueError, match="have no 7 pairs"):
        pli_sim.screen(given, rng, 2, 3, 7)
    with pytest.raises(ValueError, match="ask for fewer"):
        pli_sim.screen(given, rng, ligands=10**6)
    for shares in ({"ligand": 1.0}, {**SHARES, "noise": 0.5}, {**SHARES, "noise": -0.1}):
        with pytest.raises(ValueError, match="share"):
            pli_sim.world(rng, shares)
