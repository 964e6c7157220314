"""12 shadow-module."""

from __future__ import annotations

from pathlib import Path

ATTACK = {
    "number": 12,
    "name": "shadow-module",
    "tries": "To hand in modules of the grader's names beside the notebook.",
    "must": "take the notebook and the files it expects, and nothing else.",
    "standing": "graded",
    "otter": "Canvas hands otter the notebook alone",
    "needs": "",
}
WRONG = Path(__file__).parents[1] / "target" / "wrong.ipynb"


def submission() -> dict[str, bytes]:
    shadow = b'import os\nos.write(1, b"REACHED a grader that imports what it was handed\\n")\n'
    names = ("otter.py", "numpy.py", "conftest.py", "sitecustomize.py", "q1.py", "setup.sh")
    return {"target.ipynb": WRONG.read_bytes()} | {name: shadow for name in names}
