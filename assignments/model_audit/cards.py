"""The form of a model card, and words that no card of this course may use.

This file is published with the notebook and holds no answers. The headings follow Mitchell et al.,
*Model Cards for Model Reporting* (2019).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema

__all__ = ["SCHEMA", "SUPERLATIVES", "complaints", "save", "superlatives"]

SUPERLATIVES = (
    "best", "state of the art", "state-of-the-art", "superior", "outperforms", "unbiased",
    "bias-free", "fair", "safe", "error-free", "perfect", "flawless", "guaranteed", "proven",
    "clinically validated", "human-level", "revolutionary",
)  # fmt: skip
"""Words that claim what one evaluation on one cohort cannot show; not even with a "not" in front.

Write what was measured instead.
"""

_TEXT = {"type": "string", "minLength": 20}
_NUMBER = {"type": ["number", "null"]}
_COUNT = {"type": "integer", "minimum": 0}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


SCHEMA: Mapping[str, Any] = _object(
    name={"type": "string", "minLength": 3},
    intended_use=_object(purpose=_TEXT, users=_TEXT, patients=_TEXT),
    out_of_scope={"type": "array", "items": _TEXT, "minItems": 2},
    data=_object(source=_TEXT, years={"type": "string"}, simulated={"type": "boolean"}),
    limitations={"type": "array", "items": _TEXT, "minItems": 2},
    performance=_object(
        n=_COUNT, prevalence=_NUMBER, threshold=_NUMBER, auc=_NUMBER, tpr=_NUMBER, fpr=_NUMBER,
        ppv=_NUMBER, brier=_NUMBER,
    ),
    calibration=_object(ece=_NUMBER, ece_null_95=_NUMBER),
    subgroups={
        "type": "array",
        "minItems": 1,
        "items": _object(
            group={"type": "string"}, n=_COUNT, status={"enum": ["ok", "insufficient"]},
            auc=_NUMBER, auc_lo=_NUMBER, auc_hi=_NUMBER, tpr=_NUMBER, tpr_lo=_NUMBER,
            tpr_hi=_NUMBER, fpr=_NUMBER, fpr_lo=_NUMBER, fpr_hi=_NUMBER,
        ),
    },
    gap=_object(metric={"const": "tpr"}, gap=_NUMBER, lo=_NUMBER, hi=_NUMBER,
                claim={"type": "boolean"}),
)  # fmt: skip
"""JSON schema of a card. ``null`` stands for a number that does not exist, such as ``nan``.

``calibration.ece_null_95`` is the 95 % quantile of the ECE that a perfectly calibrated model would
have on as many patients; ``gap`` is the largest difference of the true positive rate between
groups.
"""


def complaints(card: Any) -> list[str]:
    """What in a card does not fit :data:`SCHEMA`: one sentence each, with its place."""
    found = jsonschema.Draft202012Validator(dict(SCHEMA)).iter_errors(card)
    places = [(".".join(map(str, error.absolute_path)) or "card", error) for error in found]
    return [f"{place}: {error.message[:120]}" for place, error in places]


def superlatives(card: Any) -> list[str]:
    """The :data:`SUPERLATIVES` that some text of the card uses, each once."""
    text = " ".join(_texts(card)).lower()
    return [word for word in SUPERLATIVES if re.search(rf"\b{re.escape(word)}\b", text)]


def save(card: Any, file: str | Path) -> None:
    """Write a card as JSON.

    Raises:
        ValueError: if it holds ``nan`` or an infinite number, which JSON does not know.
    """
    text = json.dumps(card, indent=1, allow_nan=False, ensure_ascii=False)
    Path(file).write_text(text + "\n", encoding="utf-8")


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = list(value.values()) if isinstance(value, Mapping) else value
    return [text for part in inner for text in _texts(part)] if isinstance(inner, list) else []
