"""Parameters as Rails reads them: ``grade_data[12][posted_grade]=8`` becomes nested tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any


def nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Nested tables and lists of flat ``name=value`` pairs; later values win."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        keys = re.findall(r"^[^\[\]]+|\[[^\]]*\]", name)
        _put(found, [key.strip("[]") for key in keys], value)
    return found


def _put(table: dict[str, Any], keys: list[str], value: Any) -> None:
    first, rest = keys[0], keys[1:]
    if not rest:
        table[first] = value
    elif rest == [""]:
        table.setdefault(first, []).append(value)
    else:
        inner = table.setdefault(first, {})
        if isinstance(inner, dict):
            _put(inner, rest, value)


def merged(*tables: dict[str, Any]) -> dict[str, Any]:
    """All tables in one, the later ones on top."""
    found: dict[str, Any] = {}
    for table in tables:
        for key, value in table.items():
            both = isinstance(value, dict) and isinstance(found.get(key), dict)
            found[key] = merged(found[key], value) if both else value
    return found


def as_list(value: Any) -> list[Any]:
    """A list of what may be one value, several or none."""
    if value is None:
        return []
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else [value]
