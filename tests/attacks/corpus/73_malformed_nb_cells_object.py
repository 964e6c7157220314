"""73 malformed-nb."""

from __future__ import annotations

import json
from pathlib import Path

ATTACK = {
    "number": 73,
    "name": "malformed-nb",
    "tries": "To have `cells` be an object, which nbformat reads without complaint.",
    "must": "call it unreadable and say why, and go on with the next student.",
    "standing": "unreadable",
    "otter": "run",
    "needs": "",
}
WRONG = Path(__file__).parents[1] / "target" / "wrong.ipynb"


def submission() -> dict[str, bytes]:
    return {"target.ipynb": json.dumps(json.loads(WRONG.read_bytes()) | {"cells": {}}).encode()}
