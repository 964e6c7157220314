"""73 malformed-nb."""

from __future__ import annotations

import json
from pathlib import Path

ATTACK = {
    "number": 73,
    "name": "malformed-nb",
    "tries": "To have cells of wrong types, with NaN and lone surrogates.",
    "must": "read what is code and leave out the rest, or call it unreadable; never fail.",
    "standing": "unreadable",
    "otter": "run",
    "needs": "",
}
WRONG = Path(__file__).parents[1] / "target" / "wrong.ipynb"


def submission() -> dict[str, bytes]:
    notebook = json.loads(WRONG.read_bytes())
    for cell in notebook["cells"]:
        cell.pop("id", None)
    odd = [None, 7, [], {"cell_type": "code"}, {"cell_type": 5, "source": 5, "metadata": []}]
    odd += [{"cell_type": "code", "source": float("nan"), "outputs": {}, "metadata": None}]
    odd += [{"cell_type": "code", "source": "\ud800", "outputs": [1], "metadata": {}}]
    notebook["cells"] += odd
    notebook["metadata"] = [float("inf")]
    return {"target.ipynb": json.dumps(notebook).encode()}
