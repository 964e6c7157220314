"""73 malformed-nb."""

from __future__ import annotations

import json
from pathlib import Path

ATTACK = {
    "number": 73,
    "name": "malformed-nb",
    "tries": "To have the grader busy with 10⁵ cells that are nothing in an archive.",
    "must": "limit how much an archive may grow, and say why.",
    "standing": "unreadable",
    "otter": "it has no limit of time: the attack would run for hours",
    "needs": "",
}
WRONG = Path(__file__).parents[1] / "target" / "wrong.ipynb"


def submission() -> dict[str, bytes]:
    notebook = json.loads(WRONG.read_bytes())
    empty = {"cell_type": "code", "id": "x", "metadata": {}, "source": "1", "outputs": []}
    notebook["cells"] += [empty | {"execution_count": None}] * 100_000
    return {"target.ipynb": json.dumps(notebook).encode()}
