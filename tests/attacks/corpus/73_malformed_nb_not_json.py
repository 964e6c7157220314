"""73 malformed-nb."""

from __future__ import annotations

ATTACK = {
    "number": 73,
    "name": "malformed-nb",
    "tries": "To end the grader's batch with a file that is no notebook.",
    "must": "call it unreadable and say why, and go on with the next student.",
    "standing": "unreadable",
    "otter": "run",
    "needs": "",
}


def submission() -> dict[str, bytes]:
    return {"target.ipynb": b"PK\x03\x04 this is no notebook \xff\xfe"}
