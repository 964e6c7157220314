"""Splits by scaffold and by drug or target, and labels that contradict each other."""

import itertools

import numpy as np
import pytest

from reference_impl.gnn_drug_discovery.molecules import canonical_key
from reference_impl.gnn_drug_discovery.partition import PROJECT, read
from reference_impl.gnn_drug_discovery.splitting import (
    cold_split,
    label_conflicts,
    scaffold,
    scaffold_split,
)

SOME = [row["smiles"] for row in read(PROJECT / "data/solubility/solubility.csv.gz")][:400]
RNG = np.random.default_rng(0)
PAIRS = np.stack([RNG.integers(0, 40, 900), RNG.integers(0, 25, 900)], axis=1)


@pytest.fixture(scope="module")
def names():
    return {smiles: (canonical_key(smiles), scaffold(smiles)) for smiles in SOME}


def test_scaffolds_by_hand():
    assert scaffold("Cc1ccccc1O") == "c1ccccc1"
    assert scaffold("CCCCO") == ""
    assert scaffold("c1ccccc1CCc1ccccn1") == "c1ccc(CCc2ccccn2)cc1"
    assert scaffold("C[C@H]1CCCC[C@@H]1Cl") == scaffold("C1CCCCC1.Cl") == "C1CCCCC1"
    with pytest.raises(ValueError, match="row 0"):
        scaffold("nonsense")


@pytest.mark.parametrize("frac", [(0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.8, 0.0, 0.2)])
def test_parts_are_disjoint_in_rows_scaffolds_and_compounds_and_have_their_size(names, frac):
    parts = scaffold_split(SOME, frac, seed=1)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(SOME)))
    for part, share in zip(parts, frac, strict=True):
        assert part.dtype == np.int64 and (np.diff(part) > 0).all()
        assert abs(len(part) / len(SOME) - share) <= 0.02
    for one, other in itertools.combinations(parts, 2):
        keys = [{names[SOME[row]][0] for row in part} for part in (one, other)]
        rings = [{names[SOME[row]][1] for row in part} - {""} for part in (one, other)]
        assert not keys[0] & keys[1] and not rings[0] & rings[1]


def test_molecules_without_rings_are_spread_over_the_parts(names):
    for part in scaffold_split(SOME, (0.6, 0.2, 0.2), seed=2):
        without = [names[SOME[row]][1] == "" for row in part]
        assert 0.1 < np.mean(without) < 0.9


def test_duplicates_without_rings_stay_together():
    smiles = ["CC(N)C(=O)O", "C[C@H](N)C(=O)O", "CC(N)C(=O)[O-].[Na+]"] * 3 + [
        "C" * n for n in range(1, 22)
    ]
    for seed in range(8):
        parts = scaffold_split(smiles, (0.5, 0.25, 0.25), seed)
        assert sum(bool(set(part) & set(range(9))) for part in parts) == 1


def test_the_seed_decides_and_the_spelling_does_not():
    one, again, other = (scaffold_split(SOME[:150], seed=seed) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0], other[0])
    spelt = scaffold_split([canonical_key(text) for text in SOME[:150]], seed=3)
    assert all(np.array_equal(a, b) for a, b in zip(one, spelt, strict=True))


def test_a_scaffold_too_large_for_a_part_is_learnt_from():
    smiles = [f"c1ccccc1{'C' * n}" for n in range(30)] + ["C" * n for n in range(1, 31)]
    train, *_ = scaffold_split(smiles, (0.6, 0.2, 0.2), seed=0)
    assert set(range(30)) <= set(train.tolist())


def test_unreadable_molecules_and_wrong_fractions_are_errors():
    with pytest.raises(ValueError, match="row 1 is no molecule"):
        scaffold_split(["C", "nonsense"])
    with pytest.raises(ValueError, match="sum to 1"):
        scaffold_split(["C"], (0.5, 0.1, 0.1))


def test_conflicts_are_reported_with_their_rows():
    smiles = ["CCO", "OCC", "CCN", "C[C@H](N)O", "C[C@@H](N)O", "CCN"]
    found = label_conflicts(smiles, [0, 1, 1, 0, 0, 1])
    assert {key: rows.tolist() for key, rows in found.items()} == {"CCO": [0, 1]}
    assert label_conflicts(smiles, [0.0, 0.3, 1, 2, np.nan, 1], tolerance=0.3) == {}
    assert set(label_conflicts(smiles, [0.0, 0.31, 1, 2, np.nan, 1], tolerance=0.3)) == {"CCO"}


def test_no_label_contradicts_nothing():
    assert label_conflicts(["CCO", "OCC"], [1, np.nan]) == {}
    with pytest.raises(ValueError, match="one label"):
        label_conflicts(["C"], [1, 2])


@pytest.mark.parametrize("mode", ["pair", "drug", "target", "both"])
def test_every_row_is_in_one_part_or_dropped(mode):
    parts = cold_split(PAIRS, mode, seed=1)
    assert len(parts) == 4
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(PAIRS)))
    assert (len(parts[3]) > 0) == (mode == "both")


@pytest.mark.parametrize(("mode", "sides"), [("drug", [0]), ("target", [1]), ("both", [0, 1])])
def test_cold_sides_share_nothing(mode, sides):
    parts = cold_split(PAIRS, mode, seed=1)[:3]
    for side in sides:
        seen = [set(PAIRS[part, side].tolist()) for part in parts]
        assert all(seen)
        assert not any(a & b for a, b in itertools.combinations(seen, 2))


def test_the_warm_side_is_known_and_repeated_pairs_stay_together():
    train, _, test, _ = cold_split(PAIRS, "drug", seed=1)
    assert set(PAIRS[test, 1]) <= set(PAIRS[train, 1])
    parts = cold_split(PAIRS, "pair", seed=1)[:3]
    seen = [{tuple(pair) for pair in PAIRS[part].tolist()} for part in parts]
    assert not any(a & b for a, b in itertools.combinations(seen, 2))


def test_what_is_dropped_lies_across_parts():
    train, val, test, dropped = cold_split(PAIRS, "both", seed=1)
    place = {}
    for number, part in enumerate((train, val, test)):
        for drug, target in PAIRS[part].tolist():
            place["drug", drug] = place["target", target] = number
    assert all(
        place.get(("drug", drug)) != place.get(("target", target))
        for drug, target in PAIRS[dropped].tolist()
    )


def test_fractions_are_those_of_drugs():
    train, val, test, _ = cold_split(PAIRS, "drug", seed=1, frac=(0.5, 0.25, 0.25))
    assert [len(set(PAIRS[part, 0])) for part in (train, val, test)] == [20, 10, 10]


def test_names_do_as_well_as_numbers_and_the_seed_decides():
    named = [(f"drug {drug}", f"protein {target}") for drug, target in PAIRS]
    for mode in ("pair", "drug", "target", "both"):
        one, same = cold_split(PAIRS, mode, 5), cold_split(named, mode, 5)
        assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
        assert not np.array_equal(one[0], cold_split(PAIRS, mode, 6)[0])


def test_other_modes_and_shapes_are_errors():
    with pytest.raises(ValueError, match="no mode 'cold'"):
        cold_split(PAIRS, "cold")
    with pytest.raises(ValueError, match="a drug and a target"):
        cold_split(np.zeros((3, 3)), "pair")
    with pytest.raises(ValueError, match="sum to 1"):
        cold_split(PAIRS, "pair", frac=(0.5, 0.5, 0.5))
