"""13 identity-swap."""

from __future__ import annotations

from pathlib import Path

ATTACK = {
    "number": 13,
    "name": "identity-swap",
    "tries": "To name its file as Canvas names another student's.",
    "must": "take a name that fits two students for nobody's, and tell the instructor.",
    "standing": "unmatched",
    "otter": "it takes no identity from anywhere",
    "needs": "",
}
WRONG = Path(__file__).parents[1] / "target" / "wrong.ipynb"


def submission() -> dict[str, bytes]:
    return {"zornzoe_303_9001_target.ipynb": WRONG.read_bytes()}
