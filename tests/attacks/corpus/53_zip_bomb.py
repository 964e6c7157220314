"""A notebook that is 200 MB of zeros, packed."""

import io
import zipfile
from pathlib import Path

ATTACK = {
    "number": 53,
    "name": "zip-bomb",
    "tries": "To fill memory or disk: an archive of 204 kB whose notebook has 200 MB.",
    "must": "limit the number, the size and the ratio of an archive's entries, and unpack into "
    "memory.",
    "standing": "unreadable",
    "otter": "otter leaves unpacking to others: Canvas's archive, Gradescope",
    "needs": "",
}
NOTEBOOK = Path(__file__).parents[1] / "target" / "wrong.ipynb"


def submission() -> dict[str, bytes]:
    """204 kB that become 200 MB."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("target.ipynb", bytes(200 * 2**20))
    return {"target.zip": archive.getvalue()}
