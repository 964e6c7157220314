"""78 csv-formula."""

from __future__ import annotations

from pathlib import Path

ATTACK = {
    "number": 78,
    "name": "csv-formula",
    "tries": "To have the instructor's spreadsheet compute: a file name that is a formula.",
    "must": "write text that begins like a formula as text, and numbers as numbers.",
    "standing": "graded",
    "otter": "its CSV is made by `otter grade`, which needs Docker",
    "needs": "",
}
WRONG = Path(__file__).parents[1] / "target" / "wrong.ipynb"


def submission() -> dict[str, bytes]:
    return {'=HYPERLINK("http:evil","A").ipynb': WRONG.read_bytes()}
