"""Tables with leaks whose place is known, and with columns that only look like one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["INDEX_TIME", "TARGET", "LeakTable", "leak_table", "outcome"]

TARGET, INDEX_TIME = "event", 2.0
"""The column that is predicted, and when."""

Column = tuple[Any, dict[str, Any] | None]


class LeakTable(NamedTuple):
    """A table, and which of its columns leak."""

    df: pd.DataFrame
    dictionary: dict[str, dict[str, Any]]
    leaks: dict[str, str]
    """Reason of each column that leaks"""


def outcome(rng: np.random.Generator, n: int) -> npt.NDArray[np.int64]:
    """N labels, three in ten of them 1, so that both classes are large."""
    return rng.permutation((np.arange(n) < 0.3 * n).astype(np.int64))


def leak_table(rng: np.random.Generator, kinds: tuple[str, ...], n: int = 900) -> LeakTable:
    """N rows with the leaks of ``kinds``, in random order among nine innocent columns.

    The innocents: a predictor with an AUC near 0.92, a weak one, one with gaps that tell a little,
    a category, a number that depends on the category alone, an identifier in no order, moments
    before the prediction, a value known just in time, and one that is in no dictionary.
    """
    y = outcome(rng, n)
    ward = rng.choice(list("ABCDEFGH"), n)
    columns = _innocents(rng, y, ward) | {f"!{kind}": _leak(kind, rng, y, ward) for kind in kinds}
    names = [f"v{number:02d}" for number in rng.permutation(60)[: len(columns)]]
    order = rng.permutation(len(columns))
    kept = [list(columns.items())[place] for place in order]
    data = {name: values for name, (_, (values, _)) in zip(names, kept, strict=True)}
    data[TARGET] = y
    described = {
        name: entry for name, (_, (_, entry)) in zip(names, kept, strict=True) if entry is not None
    }
    leaks = {name: what[1:] for name, (what, _) in zip(names, kept, strict=True) if what[0] == "!"}
    return LeakTable(pd.DataFrame(data), described, leaks)


def _known(day: float = 1.0, kind: str = "value") -> dict[str, Any]:
    return {"meaning": "", "unit": "", "known": day, "kind": kind}


def _innocents(
    rng: np.random.Generator, y: npt.NDArray[np.int64], ward: npt.NDArray[Any]
) -> dict[str, Column]:
    n = len(y)
    gaps = np.where(rng.random(n) < 0.15 + 0.25 * y, np.nan, rng.normal(size=n))
    beds = dict(zip("ABCDEFGH", rng.permutation(8) * 0.11 + 0.04, strict=True))
    return {
        "strong": (np.round(20 * (2 * y + rng.normal(size=n))), _known()),
        "weak": (0.4 * y + rng.normal(size=n), _known()),
        "gaps": (gaps, _known()),
        "ward": (ward, _known()),
        "beds": (np.array([beds[name] for name in ward]), _known()),
        "identifier": (rng.permutation(n) + 5000, _known()),
        "moment": (rng.uniform(0, INDEX_TIME, n), _known(INDEX_TIME, "moment")),
        "just in time": (y + rng.normal(size=n), _known(INDEX_TIME)),
        "undocumented": (rng.normal(size=n), None),
    }


def _leak(
    kind: str, rng: np.random.Generator, y: npt.NDArray[np.int64], ward: npt.NDArray[Any]
) -> Column:
    n = len(y)
    if kind == "after":
        return 0.1 * y + rng.normal(size=n), _known(INDEX_TIME + rng.uniform(0.1, 30))
    if kind == "future":
        late = rng.random(n) < 0.03
        return np.where(late, INDEX_TIME + rng.uniform(0.1, 9, n), rng.uniform(0, 2, n)), _known(
            1.0, "moment"
        )
    if kind == "copy":
        return rng.choice([-1, 1]) * (y + 0.15 * rng.normal(size=n)), _known()
    if kind == "encoding":
        return pd.Series(y).groupby(ward).transform("mean").to_numpy(), _known()
    if kind == "order":
        return np.argsort(np.argsort(0.8 * y + rng.normal(size=n))) + 1, _known()
    return np.where(rng.random(n) < 0.05 + 0.75 * y, np.nan, rng.normal(size=n)), _known()
