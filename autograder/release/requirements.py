"""One ``requirements.txt`` of many."""

from __future__ import annotations

from collections.abc import Mapping

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from autograder.errors import ReleaseError


def merged(texts: Mapping[str, str]) -> str:
    """What all of ``texts`` ask for, one package a line, sorted.

    Of several lower bounds of a package the highest stays; all else is asked for together.

    Args:
        texts: Contents of requirements files, by a name for messages.

    Raises:
        ReleaseError: naming the file and line that is no requirement.
    """
    found: dict[str, Requirement] = {}
    for file, text in texts.items():
        for line in text.splitlines():
            wanted = line.partition(" #")[0].strip()
            if wanted and not wanted.startswith("#"):
                _add(found, _parsed(file, wanted))
    return "".join(f"{found[key]}\n" for key in sorted(found))


def _parsed(file: str, line: str) -> Requirement:
    try:
        return Requirement(line)
    except InvalidRequirement:
        raise ReleaseError(
            f"{file}: {line!r} cannot be merged with other assignments' requirements; write a "
            "package's name with its versions."
        ) from None


def _add(found: dict[str, Requirement], new: Requirement) -> None:
    key = f"{canonicalize_name(new.name)} ; {new.marker or ''}"
    known = found.setdefault(key, new)
    known.extras |= new.extras
    known.specifier = _tightened(known.specifier & new.specifier)


def _tightened(asked: SpecifierSet) -> SpecifierSet:
    """Without the lower bounds that another one implies."""
    lower = [one for one in asked if one.operator == ">="]
    highest = sorted(lower, key=lambda one: Version(one.version))[-1:]
    return SpecifierSet([*highest, *(one for one in asked if one.operator != ">=")])
