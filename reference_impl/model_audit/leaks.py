"""Columns that know the outcome before it happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from reference_impl.model_audit.subgroups import roc_auc

__all__ = ["COPY_AUC", "MISSING_AUC", "ORDER_AUC", "REASONS", "find_leaks"]

REASONS = ("after", "future", "copy", "encoding", "order", "missing")
"""Kinds of leak, in the order in which they are looked for."""
COPY_AUC, ORDER_AUC, MISSING_AUC = 0.98, 0.60, 0.75
"""AUC, in either direction, from which a column, a row number or a gap tells too much."""
LARGEST_CATEGORY = 50

Floats = npt.NDArray[np.float64]


def find_leaks(
    df: pd.DataFrame, target: str, index_time: float, dictionary: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Columns of a table that a model predicting ``target`` at ``index_time`` must not see.

    A column is named with the first reason that applies:

    * ``"after"``: the dictionary says that it is known after ``index_time``;
    * ``"future"``: its values are moments (``kind`` is ``"moment"``), some after ``index_time``;
    * ``"copy"``: numbers whose AUC against the target is 0.98 or more, or 0.02 or less;
    * ``"encoding"``: it holds, for each value of some text column with at most 50 values, the mean
      of the target over the rows of that value (within 1e-6), and not one number for all rows;
    * ``"order"``: whole numbers, no two alike, with an AUC of 0.6 or more, or 0.4 or less;
    * ``"missing"``: whether it is missing has an AUC of 0.75 or more, or 0.25 or less.

    Args:
        df: [N, columns].
        target: Name of the column that is predicted, 0 or 1.
        index_time: When it is predicted, on the clock of the dictionary.
        dictionary: For each documented column a dict with ``known`` and ``kind``; a column that is
            not in it is judged by its values alone.

    Returns:
        ``(column, reason)`` in the order of the columns.
    """
    y = df[target].to_numpy(dtype=float)
    found = []
    for name in df.columns.drop(target):
        reason = _reason(df, name, y, index_time, dictionary.get(name, {}))
        if reason:
            found.append((str(name), reason))
    return found


def _reason(df: pd.DataFrame, name: str, y: Floats, index_time: float, entry: Any) -> str:
    column = df[name]
    if entry.get("known", -np.inf) > index_time:
        return "after"
    missing = column.isna().to_numpy()
    if column.dtype.kind in "biuf":
        values, labels = column.to_numpy(dtype=float)[~missing], y[~missing]
        if entry.get("kind") == "moment" and (values > index_time).any():
            return "future"
        if _tells(labels, values, COPY_AUC):
            return "copy"
        if _is_encoding(df, column, y):
            return "encoding"
        if _is_number_of_row(values) and _tells(labels, values, ORDER_AUC):
            return "order"
    return "missing" if _tells(y, missing.astype(float), MISSING_AUC) else ""


def _tells(y: Floats, score: Floats, least: float) -> bool:
    auc = roc_auc(y, score)
    return max(auc, 1 - auc) >= least  # False for nan


def _is_number_of_row(values: Floats) -> bool:
    return bool((values == np.round(values)).all()) and len(np.unique(values)) == len(values)


def _is_encoding(df: pd.DataFrame, column: pd.Series[Any], y: Floats) -> bool:
    if column.isna().any() or column.nunique() < 2:
        return False
    for other in df.columns:
        if df[other].dtype.kind in "biuf" or df[other].nunique() > LARGEST_CATEGORY:
            continue
        mean = pd.Series(y, df.index).groupby(df[other].fillna("missing")).transform("mean")
        if ((column - mean).abs() <= 1e-6).all():
            return True
    return False
