"""73 malformed-nb."""

from __future__ import annotations

import json

ATTACK = {
    "number": 73,
    "name": "malformed-nb",
    "tries": "To hand in the format of 2013, with worksheets.",
    "must": "upgrade it, or call it unreadable; never fail.",
    "standing": "graded",
    "otter": "run",
    "needs": "",
}


def submission() -> dict[str, bytes]:
    cell = {"cell_type": "code", "language": "python", "input": ["x = 1"], "outputs": []}
    sheet = {"cells": [cell], "metadata": {}}
    notebook = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [sheet]}
    return {"target.ipynb": json.dumps(notebook).encode()}
