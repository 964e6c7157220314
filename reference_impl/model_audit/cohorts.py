"""Two real cohorts to audit models on, and a dictionary of what was known when.

This file is published with the notebook and holds no answers. :func:`load` gives each set as a
``coursekit.DataBundle``:

================ =================================== ===================================
name             one row                             ``y``
================ =================================== ===================================
``support2``     a patient, seriously ill, 1989-94   died in hospital, 0 or 1
``cxr_metadata`` a chest X-ray, without its pixels   bool [N, 14], see :data:`FINDINGS`
================ =================================== ===================================

:func:`patients` is the raw table of ``support2``, all columns, also those that no model may see;
:data:`DICTIONARY` says of each column what it is and when it was known. Nothing is downloaded.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from coursekit import DataBundle

__all__ = [
    "DICTIONARY",
    "FEATURES",
    "FINDINGS",
    "INDEX_TIME",
    "PARTS",
    "SETS",
    "TARGET",
    "Entry",
    "load",
    "part_of",
    "patients",
]

SETS = ("support2", "cxr_metadata")
"""The names that :func:`load` knows."""
PARTS = ("train", "val", "test")
"""Parts of each set: of all patients 55, 15 and 30 %. No patient is in two."""
SHARES = (0.55, 0.15, 0.30)

TARGET = "hospdead"
"""What is predicted: death in hospital."""
INDEX_TIME = 3.0
"""When it is predicted: on day 3 of the study, when its first measurements were complete."""

FINDINGS = (
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis",
    "Hernia", "Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia", "Pneumothorax",
)  # fmt: skip
"""Columns of ``y`` of ``cxr_metadata``; text-mined from reports."""

LATER = float("inf")


class Entry(NamedTuple):
    """What the data dictionary says of one column."""

    meaning: str
    """In words"""
    unit: str
    """Of its values; ``""`` if they have none"""
    known: float
    """Day of the study on which it is known; ``inf``: at discharge, or later"""
    kind: str = "value"
    """``"moment"`` if the values themselves are days of the study, else ``"value"``"""


DICTIONARY: Mapping[str, Entry] = {
    "sno": Entry("running number of the patient", "", 1),
    "age": Entry("age", "years", 1),
    "death": Entry("died at any time until the end of 1994", "", LATER),
    "sex": Entry("sex", "", 1),
    "hospdead": Entry("died in hospital", "", LATER),
    "slos": Entry("length of stay from study entry", "days", LATER),
    "d.time": Entry("time of follow-up", "days", LATER),
    "dzgroup": Entry("disease, eight groups", "", 1),
    "dzclass": Entry("disease, four classes", "", 1),
    "num.co": Entry("number of comorbidities", "", 1),
    "edu": Entry("education", "years", 1),
    "income": Entry("income, four classes", "US$ a year", 1),
    "scoma": Entry("SUPPORT coma score, after Glasgow", "0 to 100", 3),
    "charges": Entry("hospital charges of the stay", "US$", LATER),
    "totcst": Entry("total cost of the stay", "US$", LATER),
    "totmcst": Entry("total micro-cost of the stay", "US$", LATER),
    "avtisst": Entry("mean intensity of care (TISS), days 3 to 25", "", LATER),
    "race": Entry("race as recorded", "", 1),
    "sps": Entry("SUPPORT physiology score", "", 3),
    "aps": Entry("APACHE III physiology score", "", 3),
    "surv2m": Entry("2-month survival as predicted by the SUPPORT model", "", 3),
    "surv6m": Entry("6-month survival as predicted by the SUPPORT model", "", 3),
    "hday": Entry("day of the hospital stay at study entry", "days", 1),
    "diabetes": Entry("diabetes", "", 1),
    "dementia": Entry("dementia", "", 1),
    "ca": Entry("cancer: no, yes, metastatic", "", 1),
    "prg2m": Entry("2-month survival as estimated by a physician", "", 3),
    "prg6m": Entry("6-month survival as estimated by a physician", "", 3),
    "dnr": Entry("order not to resuscitate, at any time of the stay", "", LATER),
    "dnrday": Entry("day of that order; without one, last day of the stay", "days", LATER, "moment"),
    "meanbp": Entry("mean arterial blood pressure", "mmHg", 3),
    "wblc": Entry("white blood cells", "10³/µl", 3),
    "hrt": Entry("heart rate", "1/min", 3),
    "resp": Entry("respiration rate", "1/min", 3),
    "temp": Entry("temperature", "°C", 3),
    "pafi": Entry("PaO2 / FiO2", "mmHg", 3),
    "alb": Entry("serum albumin", "g/dl", 3),
    "bili": Entry("bilirubin", "mg/dl", 3),
    "crea": Entry("serum creatinine", "mg/dl", 3),
    "sod": Entry("serum sodium", "mmol/l", 3),
    "ph": Entry("arterial pH", "", 3),
    "glucose": Entry("glucose", "mg/dl", 3),
    "bun": Entry("blood urea nitrogen", "mg/dl", 3),
    "urine": Entry("urine output", "ml/day", 3),
    "adlp": Entry("activities of daily living, told by the patient", "0 to 7", 3),
    "adls": Entry("activities of daily living, told by a relative", "0 to 7", 3),
    "sfdm2": Entry("functional disability after two months, five levels", "", LATER),
    "adlsc": Entry("activities of daily living, imputed", "0 to 7", 3),
}
"""Columns of :func:`patients`.

After the study's own description (https://hbiostat.org/data/repo/supportdesc), which says that most
assessments are of study day 3. Where it does not name a day, the column's meaning decides.
"""

FEATURES = (
    "age", "sex", "dzgroup", "num.co", "ca", "diabetes", "dementia", "scoma", "meanbp", "wblc",
    "hrt", "resp", "temp", "pafi", "alb", "bili", "crea", "sod", "ph", "bun",
)  # fmt: skip
"""Columns that the supplied model was given: all known on day 3, race and income not among them."""

_META = ("race", "sex", "income", "age", "aps", "charges")


def patients(root: str | Path = "data") -> pd.DataFrame:
    """The raw table of ``support2``, [9105, 48], in the order in which it was published."""
    return pd.read_csv(Path(root) / "support2.csv.gz")


def part_of(count: int) -> npt.NDArray[np.str_]:
    """Which of :data:`PARTS` each of ``count`` patients is in; the same at every call."""
    order = np.random.default_rng(0).permutation(count)
    ends = np.round(np.cumsum(SHARES) * count).astype(int)
    part = np.empty(count, dtype="U5")
    for name, rows in zip(PARTS, np.split(order, ends[:-1]), strict=True):
        part[rows] = name
    return part


def load(
    name: str, part: str | None = None, *, root: str | Path = "data", source: str = "auto"
) -> DataBundle:
    """One set, or one part of it, from the files beside the notebook.

    ``support2``: ``X`` float64 [N, 20], :data:`FEATURES` as codes and numbers, ``nan`` where nothing
    was measured; ``meta``: ``patient``, ``race``, ``sex``, ``income`` (text, ``"missing"`` where
    not recorded), ``age``, ``aps``, ``charges``, and two models' answers as log odds: ``logit`` of
    the supplied model and ``overtrained_logit`` of one that was trained too long.

    ``cxr_metadata``: ``X`` float64 [N, 5]: age, male, view AP, follow-up number, pixel spacing;
    ``meta``: ``patient``, ``sex``, ``view``, ``age``.

    Args:
        name: One of :data:`SETS`.
        part: One of :data:`PARTS`; all rows if not given.
        root: Folder of the files.
        source: ``"auto"`` or ``"real"``; there is no simulated form.

    Raises:
        ValueError: if there is no such set, part or source.
    """
    if name not in SETS or part not in (None, *PARTS) or source not in ("auto", "real"):
        raise ValueError(f"no {source} set {name!r} {part!r}; sets {SETS}, parts {PARTS}")
    bundle = _support2(Path(root)) if name == "support2" else _cxr(Path(root))
    return bundle if part is None else _part(bundle, part)


def _part(bundle: DataBundle, part: str) -> DataBundle:
    who, row_of = np.unique(bundle.meta["patient"], return_inverse=True)
    rows = np.flatnonzero(part_of(len(who))[row_of] == part)
    chosen = bundle.take(rows)
    return _bundle(**{**vars(chosen), "name": f"{bundle.name}, {part}"})


def _support2(root: Path) -> DataBundle:
    table = patients(root)
    with np.load(root / "supplied.npz") as stored:
        logits = {name: stored[name].astype(float) for name in ("logit", "overtrained_logit")}
    meta = {name: _plain(table[name]) for name in _META}
    return _bundle(
        X=np.stack([_codes(table[name]) for name in FEATURES], axis=1),
        y=table[TARGET].to_numpy(),
        meta={"patient": table["sno"].to_numpy(), **meta, **logits},
        units={"age": "years", "charges": "US$", "logit": "log odds"},
        licence="see data/SUPPORT2_DATASHEET.md",
        provenance="REAL patients of the SUPPORT study, five US hospitals, 1989-94",
        name="support2",
    )


def _cxr(root: Path) -> DataBundle:
    table = pd.read_csv(root / "cxr_metadata.csv.gz")
    mined = table["findings"].str.get_dummies("|").reindex(columns=list(FINDINGS), fill_value=0)
    male, ap = (table["sex"] == "M").to_numpy(), (table["view"] == "AP").to_numpy()
    columns = [table["age"], male, ap, table["follow_up"], table["spacing"]]
    meta = {name: _plain(table[name]) for name in ("patient", "sex", "view", "age")}
    return _bundle(
        X=np.stack([np.asarray(column, dtype=float) for column in columns], axis=1),
        y=mined.to_numpy(dtype=bool),
        meta=meta,
        units={"age": "years"},
        licence="NIH Clinical Center, free to use with attribution; see data/CXR_DATASHEET.md",
        provenance="REAL metadata of NIH ChestX-ray14, one US hospital, no pixels, labels text-mined",
        name="cxr_metadata",
    )


def _plain(column: pd.Series[Any]) -> npt.NDArray[Any]:
    """Numbers as they are, text with ``"missing"`` where there is none."""
    if column.dtype.kind in "biuf":
        return column.to_numpy()
    return column.fillna("missing").to_numpy(dtype=str)


def _codes(column: pd.Series[Any]) -> npt.NDArray[np.float64]:
    """Numbers as they are; text as its place in alphabetical order."""
    if column.dtype.kind in "biuf":
        return column.to_numpy(dtype=float)
    return np.unique(column.to_numpy(dtype=str), return_inverse=True)[1].astype(float)


def _bundle(**fields: Any) -> DataBundle:
    return importlib.import_module("coursekit").DataBundle(**fields)
