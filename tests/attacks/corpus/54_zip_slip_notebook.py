"""An archive whose only notebook lies outside of it."""

import io
import stat
import zipfile
from pathlib import Path

ATTACK = {
    "number": 54,
    "name": "zip-slip",
    "tries": "To have a notebook read through a link to `/etc/passwd`, or from above the "
    "archive's folder.",
    "must": "take plain relative names of regular files only, and say what was wrong with the "
    "others.",
    "standing": "unreadable",
    "otter": "otter leaves unpacking to others: Canvas's archive, Gradescope",
    "needs": "",
}
NOTEBOOK = Path(__file__).parents[1] / "target" / "wrong.ipynb"


def submission() -> dict[str, bytes]:
    """A notebook above the archive's folder, and a link in its place."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("../target.ipynb", NOTEBOOK.read_bytes())
        link = zipfile.ZipInfo("target.ipynb")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(link, "/etc/passwd")
    return {"target.zip": archive.getvalue()}
