"""Writing a release into a folder where others work too.

``.release.json`` in that folder lists what was written and its hashes. What is not listed belongs
to somebody else; what is listed and has another hash was edited by hand. Neither is touched.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

from autograder.build.assign import read_tree
from autograder.bundle import sha256
from autograder.errors import ReleaseError
from autograder.files import write_atomically

RECORD = ".release.json"
"""Name of the list of what was released; it is committed with it."""
_SHOWN = 3


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``.release.json`` holds."""

    course: str
    """Title of the course."""
    assignments: list[str] = []
    """What was released, in the order of the course file."""
    files: dict[str, str] = {}
    """SHA-256 of each file that was written, by path; this one is not in it."""

    def encoded(self) -> bytes:
        """The file's bytes."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """What a release changes in a folder."""

    folder: Path
    record: Record
    write: dict[str, bytes]
    """Files that are new or differ, by path."""
    remove: list[str]
    """Files that were released before and are no part of it any more."""
    by_hand: list[str]
    """Of these, the files that somebody else wrote, edited or removed."""
    notebooks: list[str]
    """Of these, notebooks that are out already: students may have work in them."""


def read_record(folder: Path, course: str) -> Record:
    """What was released into ``folder`` before; nothing if there is no list of it.

    Raises:
        ReleaseError: if the list is damaged or of another course.
    """
    file = folder / RECORD
    if not file.is_file():
        return Record(course=course)
    try:
        record = msgspec.json.decode(file.read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError) as error:
        raise ReleaseError(f"{file} is damaged ({error}); take it from git again.") from None
    for path in record.files:
        parts = Path(path).parts
        if not parts or Path(path).is_absolute() or ".." in parts or parts[0] == ".git":
            raise ReleaseError(f"{file} is damaged (it lists {path!r}); take it from git again.")
    if record.course != course:
        raise ReleaseError(
            f"{folder} holds a release of {record.course!r}, not of {course!r}; name another one."
        )
    return record


def foreign(folder: Path, record: Record) -> dict[str, bytes]:
    """The files of others in ``folder`` that students get with it, by path.

    In a git repository these are all but the ignored ones.
    """
    if not folder.is_dir():
        return {}
    if not (folder / ".git").exists():
        found = read_tree(folder)
    else:
        command = ["git", "-C", str(folder), "ls-files", "-z", "--cached", "--others",
                   "--exclude-standard"]  # fmt: skip
        listed = subprocess.run(command, capture_output=True, check=False)
        if listed.returncode:
            said = listed.stderr.decode(errors="replace").strip()
            raise ReleaseError(f"git cannot list the files of {folder}: {said}")
        names = sorted({os.fsdecode(name) for name in listed.stdout.split(b"\0") if name})
        found = {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
    return {path: data for path, data in found.items() if path not in {*record.files, RECORD}}


def update(folder: Path, files: Mapping[str, bytes], before: Record, after: Record) -> Update:
    """Work out what a release changes; nothing is written.

    Args:
        folder: Where students' repository is; it need not exist.
        files: All files of the release, by path.
        before: What was released there before.
        after: What is released now, without hashes.

    Raises:
        ReleaseError: if a path leads through a link or is a folder.
    """
    hashes = {path: sha256(data) for path, data in files.items()}
    record = msgspec.structs.replace(after, files=hashes)
    write, remove, by_hand = {}, [], []
    for path in sorted({*files, *before.files}):
        there = _hash(folder, path)
        if there == hashes.get(path):
            continue
        if there != before.files.get(path):
            by_hand.append(path)
        if path in files:
            write[path] = files[path]
        else:
            remove.append(path)
    notebooks = [path for path in write if path in before.files and path.endswith(".ipynb")]
    return Update(folder=folder, record=record, write=write, remove=remove, by_hand=by_hand,
                  notebooks=notebooks)  # fmt: skip


def apply(change: Update, *, overwrite: bool = False) -> None:
    """Write a release into its folder, its list last.

    Args:
        change: What :func:`update` found.
        overwrite: Whether files may be overwritten that somebody else wrote or edited.

    Raises:
        ReleaseError: if there are such files and they may not, or the folder cannot be written.
    """
    if change.by_hand and not overwrite:
        raise ReleaseError(_edited(change))
    try:
        for path, data in change.write.items():
            write_atomically(change.folder / path, data, mode=0o644)
        for path in change.remove:
            _remove(change.folder, path)
        write_atomically(change.folder / RECORD, change.record.encoded(), mode=0o644)
    except OSError as error:
        raise ReleaseError(
            f"{error.filename} cannot be written ({error.strerror}); run the same command again."
        ) from None


def _edited(change: Update) -> str:
    shown = ", ".join(change.by_hand[:_SHOWN])
    more = len(change.by_hand) - _SHOWN
    also = f" and {more} more" if more > 0 else ""
    return (
        f"Nothing was written: {shown}{also} in {change.folder} was written, edited or removed by "
        "somebody else; bring the change into the course repository and build, or take the "
        "release's with --overwrite."
    )


def _hash(folder: Path, path: str) -> str | None:
    """The hash of a file in ``folder``; ``None`` if it is not there."""
    file = folder / path
    for place in [file, *file.parents][: len(Path(path).parts)]:
        if place.is_symlink():
            raise ReleaseError(f"{place} is a link, through which nothing is released; remove it.")
    if file.is_dir():
        raise ReleaseError(f"{file} is a folder where the release has a file; move it away.")
    return sha256(file.read_bytes()) if file.is_file() else None


def _remove(folder: Path, path: str) -> None:
    file = folder / path
    file.unlink(missing_ok=True)
    for parent in list(file.parents)[: len(Path(path).parts) - 1]:
        if any(parent.iterdir()):
            break
        parent.rmdir()
