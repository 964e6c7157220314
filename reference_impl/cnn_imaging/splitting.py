"""Splitting a data set by patient, so that no patient is both learnt from and tested on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["patient_split"]

Index = npt.NDArray[np.int64]


def patient_split(
    patient_id: npt.ArrayLike,
    y: npt.ArrayLike,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
) -> tuple[Index, Index, Index]:
    """Split rows into training, validation and test sets by patient, stratified by label.

    A patient is positive if any of the patient's rows is. Patients of each class are shuffled
    and spread evenly over the interval [0, 1): patient ``r`` of the ``n_c`` patients of class
    ``c`` lies at ``(r + u_c) / n_c`` with a random ``u_c`` in [0, 1) (systematic sampling). Read
    from left to right, every stretch of patients then holds both classes in proportion, so that
    two cuts at ``round(n * cumulated fraction)`` make three stratified parts.

    Args:
        patient_id: Integers or strings [N], the patient of each row.
        y: Labels 0 or 1 [N].
        fractions: Shares of *patients*, which sum to 1. Shares of rows follow only roughly.
        seed: The same seed gives the same split.

    Returns:
        Row numbers (int64, ascending) of the training, validation and test sets.

    Raises:
        ValueError: If the lengths differ or the fractions are no shares.
    """
    ids, labels = np.asarray(patient_id), np.asarray(y)
    if ids.ndim != 1 or ids.shape != labels.shape:
        raise ValueError(f"one patient and one label a row: {ids.shape} is not {labels.shape}")
    if len(fractions) != 3 or min(fractions) < 0 or not np.isclose(sum(fractions), 1):
        raise ValueError(f"three fractions that sum to 1, not {fractions}")
    # Only the order of the ids counts, so renaming patients in the same order changes nothing.
    patients, patient_of_row = np.unique(ids, return_inverse=True)
    positive = np.zeros(len(patients), dtype=bool)
    np.logical_or.at(positive, patient_of_row, labels == 1)

    order = _stratified_order(positive, np.random.default_rng(seed))
    cuts = np.rint(np.cumsum(fractions)[:2] * len(patients)).astype(int)
    part_of_patient = np.empty(len(patients), dtype=np.int64)
    for part, members in enumerate(np.split(order, cuts)):
        part_of_patient[members] = part
    part_of_row = part_of_patient[patient_of_row]
    train, validation, test = (np.flatnonzero(part_of_row == part) for part in range(3))
    return train, validation, test


def _stratified_order(positive: npt.NDArray[np.bool_], rng: np.random.Generator) -> Any:
    """Patient numbers in a random order in which both classes are spread evenly."""
    position = np.empty(len(positive))
    for label in (False, True):
        members = rng.permutation(np.flatnonzero(positive == label))
        position[members] = (np.arange(len(members)) + rng.random()) / max(len(members), 1)
    return np.argsort(position, kind="stable")
