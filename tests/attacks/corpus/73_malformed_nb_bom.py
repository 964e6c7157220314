"""73 malformed-nb."""

from __future__ import annotations

from pathlib import Path

ATTACK = {
    "number": 73,
    "name": "malformed-nb",
    "tries": "To begin with a byte order mark, as some editors do.",
    "must": "read it: it is a notebook.",
    "standing": "graded",
    "otter": "run",
    "needs": "",
}
WRONG = Path(__file__).parents[1] / "target" / "wrong.ipynb"


def submission() -> dict[str, bytes]:
    return {"target.ipynb": b"\xef\xbb\xbf" + WRONG.read_bytes()}
