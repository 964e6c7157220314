"""An archive whose entries lead out of it."""

import io
import stat
import warnings
import zipfile
from pathlib import Path

ATTACK = {
    "number": 54,
    "name": "zip-slip",
    "tries": "To write outside of where an archive is unpacked: entries above it, absolute, of "
    "Windows, links and what lies behind them, pipes, devices, names with control "
    "characters, and names that are one name to some file systems.",
    "must": "take plain relative names of regular files only, once each.",
    "standing": "graded",
    "otter": "otter leaves unpacking to others: Canvas's archive, Gradescope",
    "needs": "",
}
NOTEBOOK = Path(__file__).parents[1] / "target" / "wrong.ipynb"
MARK = b"a file outside of the archive"
NAMES = [
    "../../attack-54-was-here", "../" * 12 + "tmp/attack-54-was-here", "/tmp/attack-54-was-here",
    "C:\\attack-54-was-here", "..\\..\\attack-54-was-here", "a/../../../attack-54-was-here",
    "~/attack-54-was-here", "weights.safetensors\n", "new\nline.ipynb", "\u202egnp.ipynb",
    "a/" * 200 + "deep.ipynb", "n" * 5000 + ".ipynb", "CON", "verdict.json", ".",
]  # fmt: skip


def entry(name: str, kind: int) -> zipfile.ZipInfo:
    """An entry that says it is of this kind of file."""
    made = zipfile.ZipInfo("x")
    made.filename = made.orig_filename = name
    made.external_attr = (kind | 0o777) << 16
    return made


def submission() -> dict[str, bytes]:
    """An ordinary notebook among entries that lead elsewhere, are links, or exist twice."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.writestr("hw/target.ipynb", NOTEBOOK.read_bytes())
        for name in NAMES:
            made.writestr(entry(name, stat.S_IFREG), MARK)
        made.writestr(entry("nul\0.ipynb", stat.S_IFREG), MARK)
        made.writestr(entry("weights.safetensors", stat.S_IFLNK), b"/etc/shadow")
        made.writestr(entry("folder", stat.S_IFLNK), b"/tmp")
        made.writestr(entry("folder/attack-54-was-here", stat.S_IFREG), MARK)
        made.writestr(entry("pipe.ipynb", stat.S_IFIFO), b"")
        made.writestr(entry("device.ipynb", stat.S_IFBLK), b"")
        for name in ("twice.ipynb", "twice.ipynb", "TWICE.ipynb", "twice.IPYNB"):
            made.writestr(entry(name, stat.S_IFREG), MARK)
    return {"target.zip": archive.getvalue()}
