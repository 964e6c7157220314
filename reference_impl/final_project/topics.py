"""The topics of the final project: public data, the metric, and what a model can be audited for.

This file is published with the notebook and holds no answers. A topic is one :class:`Topic`; teams
meet it as :func:`load`, :func:`score` and :func:`panel`. Data are never downloaded:

=============== ================================== ====================== =====================
name            one row                            ``predict`` returns    rows held back are
=============== ================================== ====================== =====================
``solubility``  a compound, as SMILES              log10(mol/L)           measured, other scaffolds
``derm``        an image of a lesion (simulated)   P(malignant)           drawn from a secret
=============== ================================== ====================== =====================
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from coursekit import DataBundle

__all__ = ["TOPICS", "Flaw", "Panel", "Topic", "load", "panel", "score"]

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Panel:
    """What every model that is exchanged is asked, in this order."""

    X: Any
    """Inputs: an array [N, ...] or a list [N]"""
    y: Array
    """The truth, float64 [N]"""
    item: Array
    """int64 [N]: rows of one item show the same thing, changed in one respect"""
    edit: Array
    """text [N]: what was changed; ``as is`` if nothing"""
    subgroup: Array
    """text [N], as in the topic's data"""

    def __len__(self) -> int:
        return len(self.y)


@dataclasses.dataclass(frozen=True)
class Flaw:
    """One thing that can be wrong with a model, and the number that shows it."""

    meaning: str
    """What is wrong, and how its effect is defined; one sentence"""
    effect: Callable[[Panel, Array], float]
    """Size of it, of a model's answers float64 [N] to a panel of N rows; about 0 if it is absent"""


@dataclasses.dataclass(frozen=True)
class Topic:
    """A question with public data, a metric, and data that are held back."""

    title: str
    metric: str
    """``mae`` (lower is better) or ``auc`` (higher is better)"""
    unit: str
    """Of what ``predict`` returns"""
    group: str
    """What must not be in two parts of a split"""
    load: Callable[[], DataBundle]
    features: Callable[[DataBundle], Array]
    """Numbers [N, D] in which neighbours are looked for by the check for leaks"""
    panel: Callable[[], Panel]
    flaws: Mapping[str, Flaw]


def load(topic: str) -> DataBundle:
    """The public data of ``topic``: everything a team may train, choose and test on.

    Returns:
        ``X`` is what ``predict`` is given and ``y`` float64 [N]. ``meta`` has text arrays [N]:
        ``row`` (a name for each row, used in split.csv and predictions.csv), ``group`` (what must
        not be in two parts) and ``subgroup`` (whom results are broken down by); and ``testable``,
        bool [N]: only these rows may be in the test part.

    Raises:
        ValueError: if there is no such topic.
    """
    return _loaded(_known(topic))


@functools.cache
def panel(topic: str) -> Panel:
    """The questions that models of ``topic`` are asked when they are exchanged.

    Raises:
        ValueError: if there is no such topic.
    """
    return TOPICS[_known(topic)].panel()


def score(metric: str, y: Any, p: Any) -> float:
    """``mae``: mean absolute error; ``auc``: area under the ROC curve, ties counted half.

    Args:
        metric: Its name.
        y: Truth [N]; 0 or 1 for ``auc``.
        p: Predictions [N].

    Raises:
        ValueError: if there is no such metric, or only one class in ``y``.
    """
    y, p = (np.asarray(values, dtype=np.float64) for values in (y, p))
    if metric == "mae":
        return float(np.abs(y - p).mean())
    if metric != "auc":
        raise ValueError(f"there is no metric {metric!r}; there are mae and auc")
    positive, negative = p[y == 1], p[y == 0]
    if not len(positive) or not len(negative):
        raise ValueError("an AUC needs both classes")
    below = np.searchsorted(np.sort(negative), positive, side="left")
    not_above = np.searchsorted(np.sort(negative), positive, side="right")
    return float((below + not_above).mean() / 2 / len(negative))


def _known(topic: str) -> str:
    if topic not in TOPICS:
        raise ValueError(f"there is no topic {topic!r}; there are {', '.join(TOPICS)}")
    return topic


@functools.cache
def _loaded(topic: str) -> DataBundle:
    return TOPICS[topic].load()


def _bundle(**fields: Any) -> DataBundle:
    made: DataBundle = importlib.import_module("coursekit").DataBundle(**fields)
    return made


def _paired(edit: str, against: str, size: bool = False) -> Callable[[Panel, Array], float]:
    """The mean over items of the answer with ``edit`` less the answer ``against`` it."""

    def effect(asked: Panel, answers: Array) -> float:
        with_edit, without = (
            dict(zip(asked.item[asked.edit == name], answers[asked.edit == name], strict=True))
            for name in (edit, against)
        )
        found = np.array([with_edit[item] - without[item] for item in with_edit])
        return float(np.abs(found).mean() if size else found.mean())

    return effect


# Solubility


def _solubility() -> DataBundle:
    from rdkit import Chem
    from rdkit.Chem.Scaffolds import MurckoScaffold

    root = Path(__file__).with_name("data")
    data: DataBundle = importlib.import_module("moldata").load("solubility", root=root)
    molecules = [Chem.MolFromSmiles(smiles) for smiles in data.X]
    scaffolds = [MurckoScaffold.MurckoScaffoldSmiles(mol=molecule) for molecule in molecules]
    plain = [Chem.MolToSmiles(molecule, isomericSmiles=False) for molecule in molecules]
    meta = {
        "row": np.array([f"S{number:04d}" for number in range(len(data))]),
        "group": np.array([s or f"no ring: {p}" for s, p in zip(scaffolds, plain, strict=True)]),
        "subgroup": np.array(["ring" if name else "no ring" for name in scaffolds]),
        "testable": np.ones(len(data), dtype=bool),
    }
    return dataclasses.replace(data, meta=meta)


def _fingerprints(data: DataBundle) -> Array:
    """Counts of circular fragments of radius 2 (Rogers & Hahn, J Chem Inf Model 50:742, 2010)."""
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    return np.array(
        [generator.GetFingerprintAsNumPy(Chem.MolFromSmiles(smiles)) for smiles in data.X], float
    )


def _solubility_panel() -> Panel:
    """240 compounds, each spelt in two ways."""
    from rdkit import Chem

    data = load("solubility")
    rows = np.random.default_rng(20_261).permutation(len(data))[:240]
    smiles = [data.X[row] for row in rows]
    spelt = [
        Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(one), 1, randomSeed=7 + number)[0]
        for number, one in enumerate(smiles)
    ]
    return Panel(
        X=[*smiles, *spelt],
        y=np.tile(data.y[rows], 2),
        item=np.tile(np.arange(240), 2),
        edit=np.repeat(["as is", "spelling"], 240),
        subgroup=np.tile(data.meta["subgroup"][rows], 2),
    )


def _bias_without_rings(asked: Panel, answers: Array) -> float:
    plain = asked.edit == "as is"
    error = answers - asked.y
    without, others = (
        error[plain & (asked.subgroup == name)].mean() for name in ("no ring", "ring")
    )
    return float(without - others)


# Lesions

DERM_SEED, CLINIC_SEED = 20_262, 20_263
NEW_CLINIC: dict[str, Any] = {"tones": (0.1, 0.2, 0.3, 0.4), "ruler": (0.3, 0.3)}
"""The clinic that a model is moved to: more patients with dark skin, more rulers."""


def _derm() -> DataBundle:
    """600 patients of the old clinic, 500 of the new one, on whom alone a model is tested."""
    dermsim = importlib.import_module("dermsim")
    old = dermsim.cohort(600, np.random.default_rng(DERM_SEED))
    new = dermsim.cohort(500, np.random.default_rng(CLINIC_SEED), **NEW_CLINIC)
    images = np.concatenate([old.X, new.X])
    group = [f"old-{one}" for one in old.patient_id] + [f"new-{one}" for one in new.patient_id]
    return _bundle(
        X=images,
        y=np.concatenate([old.y, new.y]).astype(np.float64),
        meta={
            "row": np.array([f"D{number:04d}" for number in range(len(images))]),
            "group": np.array(group),
            "subgroup": np.array([f"tone {tone}" for tone in [*old.tone, *new.tone]]),
            "testable": np.repeat([False, True], [len(old), len(new)]),
        },
        units={"X": "grey levels 0 to 255", "y": "1 malignant, 0 benign"},
        licence="Apache-2.0",
        provenance=old.provenance,
        name="lesions of two clinics",
    )


def _pooled(data: DataBundle) -> Array:
    """Images averaged down to 8 x 8 pixels."""
    n, colours, height, width = data.X.shape
    blocks = data.X.reshape(n, colours, 8, height // 8, 8, width // 8)
    return blocks.mean(axis=(3, 5), dtype=np.float64).reshape(n, -1)


DERM_EDITS: dict[str, dict[str, Any]] = {
    "ruler on": {"ruler": True}, "ruler off": {"ruler": False},
    "tone 0": {"tone": 0}, "tone 3": {"tone": 3},
}  # fmt: skip
"""What is changed in an image of the panel, everything else being kept."""


def _derm_panel() -> Panel:
    """160 lesions, each as it is and with one thing changed."""
    dermsim = importlib.import_module("dermsim")
    rng = np.random.default_rng(20_264)
    lesions = dermsim.draw(160, rng, prevalence=0.5, views=(1.0, 0.0, 0.0, 0.0), **NEW_CLINIC)
    drawn = {"as is": dermsim.render(lesions)}
    for name, change in DERM_EDITS.items():
        drawn[name] = dermsim.render(dermsim.counterfactual(lesions, **change))
    return Panel(
        X=np.concatenate([one.X for one in drawn.values()]),
        y=np.tile(lesions.y.astype(np.float64), len(drawn)),
        item=np.tile(np.arange(160), len(drawn)),
        edit=np.repeat(list(drawn), 160),
        subgroup=np.array([f"tone {tone}" for one in drawn.values() for tone in one.tone]),
    )


TOPICS: dict[str, Topic] = {
    "solubility": Topic(
        title="What does a network add to five descriptors, for molecules of another scaffold?",
        metric="mae",
        unit="log10(mol/L)",
        group="scaffold",
        load=_solubility,
        features=_fingerprints,
        panel=_solubility_panel,
        flaws={
            "spelling": Flaw(
                "Answers depend on how a molecule is spelt; effect: mean over items of the "
                "absolute difference between 'spelling' and 'as is'.",
                _paired("spelling", "as is", size=True),
            ),
            "rings": Flaw(
                "Compounds without rings are judged otherwise than those with; effect: mean of "
                "(answer - truth) without rings less that with rings, rows 'as is'.",
                _bias_without_rings,
            ),
        },
    ),
    "derm": Topic(
        title="Does a classifier of lesions survive the move to another clinic?",
        metric="auc",
        unit="probability of malignancy",
        group="patient",
        load=_derm,
        features=_pooled,
        panel=_derm_panel,
        flaws={
            "ruler": Flaw(
                "A ruler in the image moves the answer; effect: mean over items of 'ruler on' "
                "less 'ruler off'.",
                _paired("ruler on", "ruler off"),
            ),
            "tone": Flaw(
                "Skin tone moves the answer; effect: mean over items of 'tone 3' less 'tone 0'.",
                _paired("tone 3", "tone 0"),
            ),
        },
    ),
}
"""Every topic by name."""
