"""Canvas' way with a CSV file: Ruby's strict parser, and Canvas' guess at the delimiter."""

from __future__ import annotations

import re

Cell = str | None
"""None is an empty cell without quotes, which Ruby tells from an empty text."""


class MalformedCSV(Exception):
    """What Ruby's parser does not read."""


def parse(data: bytes) -> list[list[Cell]]:
    """All lines that are not blank, the first of them even if it is.

    Raises:
        MalformedCSV: if the parser stumbles.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedCSV("Invalid byte sequence in UTF-8") from None
    separator = delimiter(physical_lines(text)[:3])
    lines = _parse(text, separator)
    return [line for number, line in enumerate(lines) if line or number == 0]


def physical_lines(text: str) -> list[str]:
    """Lines as a file is read, whatever quotes say."""
    return re.split(r"\r\n|\n|\r", text)


def delimiter(lines: list[str]) -> str:
    """The semicolon, if it makes more fields than the comma, and equally many in each line."""
    return ";" if _fields(lines, ";") > _fields(lines, ",") else ","


def _fields(lines: list[str], separator: str) -> int:
    widths = {_width(line, separator) for line in lines if line}
    return widths.pop() if len(widths) == 1 else 0


def _width(line: str, separator: str) -> int:
    try:
        return len(_parse(line, separator)[0])
    except MalformedCSV:
        return 0


def _parse(text: str, separator: str) -> list[list[Cell]]:
    """Ruby's parser: a quote opens at the start of a field only, and the first line end is all."""
    found = re.search(r"\r\n|\n|\r", text)
    end = found[0] if found else "\n"
    quoted = r'"((?:[^"]|"")*)"'
    plain = rf'([^"{separator}\r\n]*)'
    token = re.compile(rf"(?:{quoted}|{plain})({re.escape(separator)}|{end}|\Z)")
    lines: list[list[Cell]] = [[]]
    place = 0
    while place < len(text):
        match = token.match(text, place)
        if match is None:
            raise MalformedCSV(f"Illegal quoting or line end in line {len(lines)}.")
        inside, bare, stop = match[1], match[2], match[3]
        cell = bare or None if inside is None else inside.replace('""', '"')
        blank = cell is None and not lines[-1] and stop != separator
        if not blank:
            lines[-1].append(cell)
        if stop == separator and match.end() == len(text):
            lines[-1].append(None)
        if stop == end:
            lines.append([])
        place = match.end()
    return lines[:-1] if lines and not lines[-1] and len(lines) > 1 else lines


NUMERIC = re.compile(r"-?[0-9.,]+%?")


def rewritten(cell: Cell) -> Cell:
    """A cell that looks like a number, with its last ``.`` or ``,`` for the decimal point."""
    if cell is None or not NUMERIC.fullmatch(cell):
        return cell
    percent = "%" if cell.endswith("%") else ""
    parts = re.split("[.,]", cell.removesuffix("%"))
    while parts and not parts[-1]:
        parts.pop()
    if not parts:
        return None
    whole = "".join(parts[:-1])
    return (f"{whole}.{parts[-1]}" if len(parts) > 1 else parts[0]) + percent
