"""73 malformed-nb."""

from __future__ import annotations

import json
from pathlib import Path

ATTACK = {
    "number": 73,
    "name": "malformed-nb",
    "tries": "To hand in a format that does not exist yet.",
    "must": "call it unreadable and say why, and go on with the next student.",
    "standing": "unreadable",
    "otter": "run",
    "needs": "",
}
WRONG = Path(__file__).parents[1] / "target" / "wrong.ipynb"


def submission() -> dict[str, bytes]:
    return {"target.ipynb": json.dumps(json.loads(WRONG.read_bytes()) | {"nbformat": 99}).encode()}
