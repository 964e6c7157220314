"""What each mutant lost when an assignment was last verified: data for the mutation matrix."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from autograder.build.verify import Row
from autograder.files import write_atomically

__all__ = ["OUTCOMES", "read_outcomes", "record"]

OUTCOMES = "outcomes.json"
"""File in the folder of an assignment's mutants, which is shipped to nobody."""
MUTANT = "mutant "
"""What the subject of a mutant's row begins with."""


def read_outcomes(folder: Path) -> dict[str, list[str]]:
    """By mutant, the tests it did not pass, as ``QUESTION TEST``; none if nothing was recorded."""
    file = folder / OUTCOMES
    return (
        msgspec.json.decode(file.read_bytes(), type=dict[str, list[str]]) if file.is_file() else {}
    )


def record(folder: Path, rows: Iterable[Row]) -> None:
    """Note what the mutants among ``rows`` lost, in the place of what was known of them.

    Mutants whose file is gone are forgotten. Of what has no mutants nothing is
    written.
    """
    found = read_outcomes(folder) | {
        row.subject.removeprefix(MUTANT): list(row.lost)
        for row in rows
        if row.subject.startswith(MUTANT)
    }
    kept = {name: found[name] for name in sorted(found) if (folder / f"{name}.py").is_file()}
    if not kept and not (folder / OUTCOMES).is_file():
        return
    text = msgspec.json.format(msgspec.json.encode(kept), indent=1)
    write_atomically(folder / OUTCOMES, text + b"\n")
    (folder / OUTCOMES).chmod(0o644)
