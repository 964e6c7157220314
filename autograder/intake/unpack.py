"""Reading zip archives that students made: into memory, never onto a disk.

An archive as a whole is refused if it has too many entries or would unpack to too much. An entry
is refused alone, with a reason, if its name is not a plain relative path, if it is not a regular
file, if it is encrypted, too large or packed too well to be honest, or if another entry has the
same name to some file system.
"""

from __future__ import annotations

import io
import stat
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from autograder.errors import IntakeError

UTF_8 = 0x800
"""General purpose flag: the entry's name is UTF-8 (APPNOTE.TXT 4.4.4)."""
ENCRYPTED = 0x1 | 0x40 | 0x2000
PACKING = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
CHUNK = 2**20


class Caps(NamedTuple):
    """What an archive may hold."""

    entries: int = 1_000
    file_bytes: int = 64 * 2**20
    total_bytes: int = 256 * 2**20
    ratio: int = 200
    """Unpacked to packed size; text that repeats itself reaches 100."""
    ratio_from: int = 8 * 2**20
    """Unpacked size from which the ratio counts: small files do no harm."""
    name_bytes: int = 1_000
    folders: int = 16
    """How deep the path of an entry may be."""


STUDENT = Caps()
"""For an archive that one student made."""
COURSE = Caps(entries=100_000, file_bytes=256 * 2**20, total_bytes=64 * 2**30, name_bytes=4_000)
"""For the archive that Canvas makes of a whole course; its own limit is 100,000 files."""


class Member(NamedTuple):
    """One file of an archive."""

    name: str
    """Relative path with ``/``, made of safe characters; of a refused entry, whatever it is."""
    data: bytes = b""
    problem: str = ""
    """Why it was refused, or empty."""


def unpack(
    source: Path | bytes,
    caps: Caps = STUDENT,
    want: Callable[[str], bool] = lambda name: True,
) -> Iterator[Member]:
    """Yield the files of a zip archive one by one.

    Args:
        source: The archive's path or bytes.
        caps: What it may hold.
        want: Called with a safe name; what it says no to is not yielded and not unpacked.

    Raises:
        IntakeError: on the first step, if the archive as a whole is refused.
    """
    try:
        with zipfile.ZipFile(
            io.BytesIO(source) if isinstance(source, bytes) else source
        ) as archive:
            entries = [entry for entry in archive.infolist() if not _is_folder(entry)]
            _check_whole(entries, caps)
            folded = Counter(_folded(_name(entry)) for entry in entries)
            for entry in entries:
                name = _name(entry)
                problem = _problem(entry, name, caps)
                if not problem and folded[_folded(name)] > 1:
                    problem = "another entry has the same name"
                if problem:
                    yield Member(name, problem=problem)
                elif want(name):
                    yield _read(archive, entry, name)
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        ValueError,
        EOFError,
    ) as e:
        raise IntakeError(f"The zip archive is damaged ({e}).") from None
    except OSError as error:
        raise IntakeError(f"The zip archive cannot be read ({error.strerror or error}).") from None


def _check_whole(entries: list[zipfile.ZipInfo], caps: Caps) -> None:
    total = sum(entry.file_size for entry in entries)
    if len(entries) > caps.entries:
        raise IntakeError(
            f"The zip archive has {len(entries)} entries; at most {caps.entries} are read."
        )
    if total > caps.total_bytes:
        raise IntakeError(
            f"The zip archive unpacks to {total / 2**20:.0f} MB; at most "
            f"{caps.total_bytes / 2**20:.0f} MB are read."
        )


def _name(entry: zipfile.ZipInfo) -> str:
    """Return the entry's name, which programs may write in UTF-8 without saying so."""
    name = entry.orig_filename
    if not entry.flag_bits & UTF_8:
        try:
            return name.encode("cp437").decode("utf-8")
        except UnicodeError:
            return name
    return name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    return entry.orig_filename.endswith("/") and entry.file_size == 0


def _problem(entry: zipfile.ZipInfo, name: str, caps: Caps) -> str:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG}:
        return "it is a link or device, not a file"
    if entry.flag_bits & ENCRYPTED:
        return "it is encrypted"
    if entry.compress_type not in PACKING:
        return "it is packed in an unusual way"
    if entry.file_size > caps.file_bytes:
        return f"it is larger than {caps.file_bytes / 2**20:.0f} MB"
    if entry.file_size > max(caps.ratio_from, caps.ratio * entry.compress_size):
        return "it is packed suspiciously small"
    return _name_problem(name, caps)


def _name_problem(name: str, caps: Caps) -> str:
    parts = name.split("/")
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in name):
        return "its name holds a control character"
    if "\\" in name or any(part in {"", ".", ".."} for part in parts) or ":" in parts[0][:2]:
        return "its name leads out of the archive"
    if len(parts) > caps.folders or len(name.encode(errors="replace")) > caps.name_bytes:
        return "its name is too long"
    return ""


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> Member:
    try:
        with archive.open(entry) as file:
            # The header's size may lie; zipfile checks it and the checksum only at the end.
            data = file.read(entry.file_size + 1)
            while len(data) <= entry.file_size and (more := file.read(CHUNK)):
                data += more
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError):
        return Member(name, problem="it is damaged")
    if len(data) != entry.file_size:
        return Member(name, problem="it is damaged")
    return Member(name, data)
