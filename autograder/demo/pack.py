"""Files as programs beside Canvas make them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""
"""One empty page."""

NOON = (2027, 2, 11, 12, 0, 0)
"""When everything happened, so that the same class is the same bytes."""


def zip_bytes(entries: Mapping[str, bytes]) -> bytes:
    """Make a zip archive with the date of the demonstration."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            entry = zipfile.ZipInfo(name, NOON)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return out.getvalue()


def otter_zip(name: str, files: Mapping[str, bytes]) -> bytes:
    """Make the archive of otter's ``Notebook.export``, with its log and the entry of its name."""
    log = b"\x80\x04N."  # a pickle of None; otter's log is a pickle, which no grader may load
    return zip_bytes({**files, ".OTTER_LOG": log, "__zip_filename__": name.encode()})
