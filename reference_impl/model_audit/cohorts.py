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
from typing import TYPE_CHECKING, Any

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


def _entry(meaning: str, unit: str, known: float, kind: str = "value") -> dict[str, Any]:
    return {"meaning": meaning, "unit": unit, "known": float(known), "kind": kind}


DICTIONARY: Mapping[str, dict[str, Any]] = {
    "sno": _entry("running number of the patient", "", 1),
    "age": _entry("age", "years", 1),
    "death": _entry("died at any time until the end of 1994", "", LATER),
    "sex": _entry("sex", "", 1),
    "hospdead": _entry("died in hospital", "", LATER),
    "slos": _entry("length of stay from study entry", "days", LATER),
    "d.time": _entry("time of follow-up", "days", LATER),
    "dzgroup": _entry("disease, eight groups", "", 1),
    "dzclass": _entry("disease, four classes", "", 1),
    "num.co": _entry("number of comorbidities", "", 1),
    "edu": _entry("education", "years", 1),
    "income": _entry("income, four classes", "US$ a year", 1),
    "scoma": _entry("SUPPORT coma score, after Glasgow", "0 to 100", 3),
    "charges": _entry("hospital charges of the stay", "US$", LATER),
    "totcst": _entry("total cost of the stay", "US$", LATER),
    "totmcst": _entry("total micro-cost of the stay", "US$", LATER),
    "avtisst": _entry("mean intensity of care (TISS), days 3 to 25", "", LATER),
    "race": _entry("race as recorded", "", 1),
    "sps": _entry("SUPPORT physiology score", "", 3),
    "aps": _entry("APACHE III physiology score", "", 3),
    "surv2m": _entry("2-month survival as predicted by the SUPPORT model", "", 3),
    "surv6m": _entry("6-month survival as predicted by the SUPPORT model", "", 3),
    "hday": _entry("day of the hospital stay at study entry", "days", 1),
    "diabetes": _entry("diabetes", "", 1),
    "dementia": _entry("dementia", "", 1),
    "ca": _entry("cancer: no, yes, metastatic", "", 1),
    "prg2m": _entry("2-month survival as estimated by a physician", "", 3),
    "prg6m": _entry("6-month survival as estimated by a physician", "", 3),
    "dnr": _entry("order not to resuscitate, at any time of the stay", "", LATER),
    "dnrday": _entry("day of that order, or of the end of the stay", "days", LATER, "moment"),
    "meanbp": _entry("mean arterial blood pressure", "mmHg", 3),
    "wblc": _entry("white blood cells", "10³/µl", 3),
    "hrt": _entry("heart rate", "1/min", 3),
    "resp": _entry("respiration rate", "1/min", 3),
    "temp": _entry("temperature", "°C", 3),
    "pafi": _entry("PaO2 / FiO2", "mmHg", 3),
    "alb": _entry("serum albumin", "g/dl", 3),
    "bili": _entry("bilirubin", "mg/dl", 3),
    "crea": _entry("serum creatinine", "mg/dl", 3),
    "sod": _entry("serum sodium", "mmol/l", 3),
    "ph": _entry("arterial pH", "", 3),
    "glucose": _entry("glucose", "mg/dl", 3),
    "bun": _entry("blood urea nitrogen", "mg/dl", 3),
    "urine": _entry("urine output", "ml/day", 3),
    "adlp": _entry("activities of daily living, told by the patient", "0 to 7", 3),
    "adls": _entry("activities of daily living, told by a relative", "0 to 7", 3),
    "sfdm2": _entry("functional disability after two months, five levels", "", LATER),
    "adlsc": _entry("activities of daily living, imputed", "0 to 7", 3),
}
"""Columns of :func:`patients`: for each its ``meaning``, ``unit``, and

``known``: day of the study on which it is known; ``inf``: at discharge, or later;
``kind``: ``"moment"`` if the values themselves are days of the study, else ``"value"``.

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

    ``support2``: ``X`` float64 [N, 20], :data:`FEATURES` as codes and numbers, ``nan`` where
    nothing was measured; ``meta``: ``patient``, ``race``, ``sex``, ``income`` (text, ``"missing"``
    where not recorded), ``age``, ``aps``, ``charges``, and two models' answers as log odds:
    ``logit`` of the supplied model and ``overtrained_logit`` of one that was trained too long.

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
    texts, text_of_row = np.unique(table["findings"].to_numpy(dtype=str), return_inverse=True)
    mined = np.array([[name in text.split("|") for name in FINDINGS] for text in texts])
    male, ap = (table["sex"] == "M").to_numpy(), (table["view"] == "AP").to_numpy()
    columns = [table["age"], male, ap, table["follow_up"], table["spacing"]]
    meta = {name: _plain(table[name]) for name in ("patient", "sex", "view", "age")}
    return _bundle(
        X=np.stack([np.asarray(column, dtype=float) for column in columns], axis=1),
        y=mined[text_of_row],
        meta=meta,
        units={"age": "years"},
        licence="NIH Clinical Center, free to use with attribution; see data/CXR_DATASHEET.md",
        provenance="REAL metadata of NIH ChestX-ray14, one US hospital, no pixels, mined labels",
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
