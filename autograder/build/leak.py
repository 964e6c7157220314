"""Whether anything hidden can be read in what is published, archives and metadata included."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.build.assign import read_tree
from autograder.build.hidden import Hidden, grams, words
from autograder.bundle import sha256

DEPTH = 4
"""Archives in archives that are opened."""
LONG = 2_000_000
"""Characters from which a text is data, not code."""


@dataclass(frozen=True)
class Leak:
    """Something hidden, found in a published file."""

    file: str
    """Path in the published folder; parts of archives and notebooks after ``!``."""
    what: str
    """What it is of, for staff."""
    excerpt: str
    """The text that gave it away."""

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.file} shows {self.what}: {self.excerpt!r}"


def leaks(folder: Path, name: str, project: Path) -> list[Leak]:
    """What ``folder`` shows of the assignment ``name`` of ``project`` that students must not see.

    Args:
        folder: A published folder, such as ``assignments/NAME/``.
        name: The assignment whose tests, solutions, rubrics, reference and weights are hidden.
        project: The project's root, with ``solutions/`` and ``reference_impl/``.
    """
    return find_leaks(read_tree(folder), Hidden.of(name, project))


def find_leaks(files: dict[str, bytes], hidden: Hidden) -> list[Leak]:
    """What ``files``, by path, show of what is ``hidden``."""
    search = _Search(hidden)
    found = (leak for path, data in files.items() for leak in search.file(path, data))
    return list({(leak.file, leak.what): leak for leak in reversed(list(found))}.values())[::-1]


_ROW_OF_NUMBERS = re.compile(r"^[-+.\deE]+(?:[,;\t] *[-+.\deE]+)+\r?$", re.ASCII | re.MULTILINE)


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    """One of ``names``, not as part of a longer word."""
    either = "|".join(map(re.escape, sorted(names))) or r"(?!)"
    return re.compile(rf"(?<!\w)({either})(?!\w)", re.ASCII)


class _Search:
    def __init__(self, hidden: Hidden) -> None:
        self.hidden = hidden
        self.names, self.numbers = _any_of(hidden.names), _any_of(hidden.numbers)

    def file(self, path: str, data: bytes, depth: int = 0) -> Iterator[Leak]:
        members = list(_members(data)) if depth < DEPTH else []
        for name, member in members:
            yield from self.file(f"{path}!{name}", member, depth + 1)
        found = [leak for place, text in _texts(path, data) for leak in self.text(place, text)]
        yield from found
        told = {leak.what for leak in found}
        yield from (leak for leak in self.blob(path, data) if leak.what not in told)

    def blob(self, path: str, data: bytes) -> Iterator[Leak]:
        told = self.hidden.files.get(sha256(data))
        if told:
            yield Leak(path, told, "the whole file")
        for needle, what in self.hidden.needles.items():
            if needle in data:
                yield Leak(path, what, f"{len(needle)} bytes of it")
        yield from self.named(path, f"{path}\n{data.decode('latin-1')}")

    def named(self, place: str, text: str) -> Iterator[Leak]:
        for name in self.names.findall(text):
            yield Leak(place, self.hidden.names[name], name)
        for number in self.numbers.findall(_ROW_OF_NUMBERS.sub("", text)):
            yield Leak(place, self.hidden.numbers[number], number)

    def text(self, place: str, text: str) -> Iterator[Leak]:
        yield from self.named(place, text)
        flat = " ".join(text.split())
        for phrase, what in self.hidden.phrases.items():
            if phrase in flat:
                yield Leak(place, what, phrase)
        told = words(text) if len(text) < LONG else []
        for length, hidden in self.hidden.grams.items():
            for gram in grams(told, length):
                if gram in hidden:
                    yield Leak(place, hidden[gram], " ".join(gram))


def _texts(path: str, data: bytes) -> Iterator[tuple[str, str]]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    try:
        value = json.loads(text) if path.endswith((".ipynb", ".json")) else text
    except ValueError:
        value = text
    yield from _json_texts(path, value)


def _json_texts(path: str, value: object) -> Iterator[tuple[str, str]]:
    """Every text in a JSON value; a list of lines is one text, a notebook's cells are counted."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield path, key
            cells = key == "cells" and isinstance(item, list)
            for number, part in enumerate(item, 1) if cells else [(0, item)]:
                yield from _json_texts(f"{path}!cell {number}" if cells else path, part)
    elif isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            yield path, "".join(line if line.endswith("\n") else f"{line}\n" for line in value)
            return
        for item in value:
            yield from _json_texts(path, item)


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The files in an archive, or the one in a compressed file; none if it is neither."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield name, archive.read(name)
    elif data and tarfile.is_tarfile(io.BytesIO(data)):
        with tarfile.open(fileobj=io.BytesIO(data)) as tape:
            for entry in tape:
                file = tape.extractfile(entry)
                yield entry.name, file.read() if file else b""
    else:
        for magic, unpack in COMPRESSED.items():
            if data.startswith(magic):
                yield "content", unpack(data)


COMPRESSED: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ\x00": lzma.decompress,
}
