"""From what was handed in to submissions: a Canvas archive, a folder, single files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from autograder.bundle import Manifest
from autograder.intake.choose import submission
from autograder.intake.gather import Unmatched, gather
from autograder.model import Student, Submission

__all__ = ["Intake", "Unmatched", "intake"]


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was found, in the roster's order."""

    submissions: list[Submission]
    """One for each student who handed in anything, readable or not."""
    missing: list[Student]
    """Students of the roster who handed in nothing."""
    unmatched: list[Unmatched]
    """Files that belong to nobody in the roster, or to nobody for certain."""
    unused: list[Unmatched]
    """Files of students that were passed over: older attempts, second notebooks, other files."""


def intake(paths: Sequence[Path], roster: Sequence[Student], manifest: Manifest) -> Intake:
    """Collect submissions.

    Whose a file is, is decided by its name and the roster alone: by the names Canvas gives, or by
    a Canvas id, login or SIS id as the name of the file or of a folder around it. What students
    write into their files means nothing. Otter's export archives are opened; their logs, which
    are pickles, are not.

    Args:
        paths: Archives, folders and files, later ones being newer if nothing else tells.
        roster: As ``autograder.gradebook`` reads it.
        manifest: Of the assignment, which names the notebook and the files beside it.

    Raises:
        IntakeError: if a path does not exist, or an archive of a whole course cannot be read.
            One student's files never raise: they give a submission with a ``problem``.
    """
    pieces, unmatched = gather(paths, roster)
    submissions, unused = [], []
    for student in roster:
        if own := [piece for piece in pieces if piece.owner == student.id]:
            taken, passed_over = submission(student, own, manifest)
            submissions.append(taken)
            unused += passed_over
    handed_in = {one.student.id for one in submissions}
    return Intake(
        submissions=submissions,
        missing=[student for student in roster if student.id not in handed_in],
        unmatched=unmatched,
        unused=unused,
    )
