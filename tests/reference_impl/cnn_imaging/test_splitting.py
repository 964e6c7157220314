"""Splitting by patient."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.cnn_imaging.splitting import patient_split


def rows_of(n_patients, seed):
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n_patients), rng.integers(1, 6, n_patients))
    y = (rng.random(n_patients) < 0.3).astype(int)[patient]
    order = rng.permutation(len(patient))
    return patient[order], y[order]


@settings(max_examples=50, deadline=None)
@given(
    n=st.integers(1, 120),
    seed=st.integers(0, 1000),
    fractions=st.sampled_from([(0.7, 0.15, 0.15), (0.5, 0.25, 0.25), (0.8, 0.2, 0.0), (1, 0, 0)]),
)
def test_parts_are_a_partition_of_rows_and_of_patients_in_the_right_shares(n, seed, fractions):
    patient, y = rows_of(n, seed)
    parts = patient_split(patient, y, fractions, seed)
    assert all(part.dtype == np.int64 and (np.diff(part) > 0).all() for part in parts)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(y)))
    members = [set(patient[part]) for part in parts]
    assert sum(map(len, members)) == n
    for group, fraction in zip(members, fractions, strict=True):
        assert abs(len(group) - fraction * n) <= 1


@pytest.mark.parametrize("seed", range(20))
def test_each_part_has_its_share_of_positive_patients(seed):
    patient, y = rows_of(200, seed)
    positive = np.array([y[patient == p].max() for p in range(200)])
    for part in patient_split(patient, y, seed=seed):
        members = np.unique(patient[part])
        assert abs(positive[members].sum() - positive.mean() * len(members)) <= 2


def test_one_positive_row_makes_a_patient_positive():
    patient = np.repeat(np.arange(100), 2)
    y = np.tile([0, 1], 100)
    y[100:] = 0
    for part in patient_split(patient, y, (0.5, 0.25, 0.25), 3):
        members = np.unique(patient[part])
        assert abs((members < 50).sum() - len(members) / 2) <= 1


def test_the_seed_decides():
    patient, y = rows_of(100, 0)
    first, again, other = (patient_split(patient, y, seed=s)[0] for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_patient_can_end_up_in_every_part():
    patient, y = np.arange(10), np.array([1] + [0] * 9)
    seen = {
        (row, part)
        for seed in range(200)
        for part, rows in enumerate(patient_split(patient, y, (0.4, 0.3, 0.3), seed))
        for row in rows
    }
    assert len(seen) == 30


def test_renaming_patients_in_the_same_order_changes_nothing():
    patient, y = rows_of(80, 4)
    named = np.array([f"P{p:04d}" for p in patient])
    before, after = patient_split(patient, y, seed=9), patient_split(named, y, seed=9)
    for a, b in zip(before, after, strict=True):
        assert np.array_equal(a, b)


def test_a_patient_with_many_rows_stays_whole():
    patient = np.concatenate([np.zeros(60, int), np.arange(1, 91)])
    parts = patient_split(patient, np.zeros(150, int), seed=1)
    assert sorted(int((patient[part] == 0).sum()) for part in parts) == [0, 0, 60]


@pytest.mark.parametrize("fractions", [(0.7, 0.2, 0.2), (1.2, -0.1, -0.1), (0.5, 0.5)])
def test_fractions_that_are_no_shares_are_refused(fractions):
    with pytest.raises(ValueError, match="fractions"):
        patient_split([1, 2], [0, 1], fractions)


def test_a_label_for_each_row_is_required():
    with pytest.raises(ValueError, match="row"):
        patient_split([1, 2, 3], [0, 1])
