"""A notebook among very many files."""

import io
import zipfile
from pathlib import Path

ATTACK = {
    "number": 53,
    "name": "zip-bomb",
    "tries": "To fill a table of files: an archive of 20,000 empty ones.",
    "must": "limit the number, the size and the ratio of an archive's entries, and unpack into "
    "memory.",
    "standing": "unreadable",
    "otter": "otter leaves unpacking to others: Canvas's archive, Gradescope",
    "needs": "",
}
NOTEBOOK = Path(__file__).parents[1] / "target" / "wrong.ipynb"


def submission() -> dict[str, bytes]:
    """The notebook among 20,000 empty files."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as made:
        made.writestr("target.ipynb", NOTEBOOK.read_bytes())
        for number in range(20_000):
            made.writestr(f"{number}/{number}.ipynb", b"")
    return {"target.zip": archive.getvalue()}
