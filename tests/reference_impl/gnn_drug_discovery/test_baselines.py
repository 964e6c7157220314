"""Baselines: means without chemistry, and ridge regression on five numbers."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from reference_impl.gnn_drug_discovery.baselines import additive_baseline, descriptors, ridge


def test_the_additive_baseline_by_hand():
    pairs = [("a", "p"), ("a", "q"), ("b", "p")]
    y = [1.0, 3.0, 5.0]  # mean 3; a 2, b 5; p 3, q 3
    test = [("a", "p"), ("b", "q"), ("new", "p"), ("b", "new"), ("new", "new")]
    assert additive_baseline((pairs, y), test).tolist() == [2.0, 5.0, 3.0, 5.0, 3.0]


def test_on_a_full_table_it_is_the_least_squares_fit():
    rng = np.random.default_rng(0)
    y = rng.standard_normal((5, 4))
    pairs = np.stack(np.meshgrid(range(5), range(4), indexing="ij"), axis=-1).reshape(-1, 2)
    design = np.column_stack([pairs[:, [0]] == range(5), pairs[:, [1]] == range(4)]).astype(float)
    fitted = design @ np.linalg.lstsq(design, y.ravel(), rcond=None)[0]
    assert np.allclose(additive_baseline((pairs, y.ravel()), pairs), fitted)


def test_a_drug_and_a_protein_of_one_name_are_two_things():
    assert additive_baseline(([(0, 1), (1, 0)], [0.0, 4.0]), [(0, 0), (1, 1)]).tolist() == [
        2.0,
        2.0,
    ]


def test_names_and_numbers_do_alike_and_no_test_pairs_are_no_error():
    pairs = np.array([[0, 3], [1, 3], [0, 2]])
    named = [(f"d{d}", f"t{t}") for d, t in pairs]
    y = [1.0, 2.0, 4.0]
    assert np.array_equal(
        additive_baseline((pairs, y), pairs), additive_baseline((named, y), named)
    )
    assert additive_baseline((pairs, y), []).shape == (0,)


def test_it_needs_pairs_and_an_affinity_for_each():
    for train in (([], []), ([(0, 1)], [1.0, 2.0])):
        with pytest.raises(ValueError, match="one affinity"):
            additive_baseline(train, [(0, 1)])


def test_descriptors_of_aspirin_and_ethanol():
    aspirin, ethanol = descriptors(["CC(=O)Oc1ccccc1C(=O)O", "CCO"])
    assert aspirin[[0, 2, 3, 4]] == pytest.approx([180.16, 63.60, 2, 1], abs=0.01)
    assert ethanol[[0, 2, 4]] == pytest.approx([46.07, 20.23, 0], abs=0.01)
    assert aspirin[1] > ethanol[1]
    assert descriptors([]).shape == (0, 5)
    with pytest.raises(ValueError, match="row 1"):
        descriptors(["C", "nonsense"])


def test_ridge_is_scikit_learns_on_standardised_columns():
    rng = np.random.default_rng(0)
    X, y, new = rng.random((40, 5)) * [1, 10, 100, 1, 1], rng.random(40), rng.random((7, 5))
    scale = StandardScaler().fit(X)
    oracle = Ridge(alpha=2.5).fit(scale.transform(X), y)
    assert np.allclose(ridge((X, y), new, penalty=2.5), oracle.predict(scale.transform(new)))


def test_a_constant_column_has_no_say():
    X = np.column_stack([np.arange(5.0), np.ones(5)])
    found = ridge((X, np.arange(5.0)), [[2.0, 1.0], [2.0, 9.0]])
    assert found[0] == pytest.approx(2.0) and np.isfinite(found).all()
