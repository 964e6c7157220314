"""Writing folders whole or not at all."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path


def publish(folders: dict[Path, dict[str, bytes]]) -> None:
    """Replace each folder by the files given for it, by path.

    All files are written beside their targets first; then the folders are swapped by renaming.
    Whatever fails before leaves the old folders as they were; what fails between the renames is
    undone.
    """
    new = {folder: folder.with_name(f".{folder.name}.new") for folder in folders}
    try:
        for folder, files in folders.items():
            _write(new[folder], files)
        _swap(new)
    finally:
        for scratch in new.values():
            shutil.rmtree(scratch, ignore_errors=True)


def _write(folder: Path, files: dict[str, bytes]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path, data in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _swap(new: dict[Path, Path]) -> None:
    old = {folder: folder.with_name(f".{folder.name}.old") for folder in new}
    try:
        for folder, scratch in new.items():
            shutil.rmtree(old[folder], ignore_errors=True)
            with suppress(FileNotFoundError):
                folder.rename(old[folder])
            scratch.rename(folder)
    except OSError:
        for folder, kept in old.items():
            if kept.is_dir():
                shutil.rmtree(folder, ignore_errors=True)
                kept.rename(folder)
        raise
    for kept in old.values():
        shutil.rmtree(kept, ignore_errors=True)
