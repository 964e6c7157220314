"""13 identity-swap."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

ATTACK = {
    "number": 13,
    "name": "identity-swap",
    "tries": "To hand in an export of otter's that says inside whose it is.",
    "must": "take nothing inside an archive for a name.",
    "standing": "graded",
    "otter": "it takes no identity from anywhere",
    "needs": "",
}
WRONG = Path(__file__).parents[1] / "target" / "wrong.ipynb"


def submission() -> dict[str, bytes]:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("target.ipynb", WRONG.read_bytes())
        archive.writestr("__zip_filename__", "zornzoe_303_9001_target.zip")
        archive.writestr("303/target.ipynb", b"{}")
    return {"target_2026_11_23T04_00_00_000000.zip": out.getvalue()}
