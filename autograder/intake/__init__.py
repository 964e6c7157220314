"""From what was handed in to submissions: a Canvas archive, a folder, single files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from autograder.bundle import Manifest
from autograder.intake.choose import submission
from autograder.intake.gather import Piece, Unmatched, gather
from autograder.model import Student, Submission
from autograder.teams import Team, parties

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


def intake(
    paths: Sequence[Path],
    roster: Sequence[Student],
    manifest: Manifest,
    teams: Sequence[Team] = (),
) -> Intake:
    """Collect submissions.

    Whose a file is, is decided by its name and the roster alone: by the names Canvas gives, or by
    a Canvas id, login or SIS id as the name of the file or of a folder around it. What students
    write into their files means nothing. Otter's export archives are opened; their logs, which
    are pickles, are not.

    Args:
        paths: Archives, folders and files, later ones being newer if nothing else tells.
        roster: As ``autograder.gradebook`` reads it.
        manifest: Of the assignment, which names the notebook and the files beside it.
        teams: Who hands in together. A team has one submission, whoever of it handed in; of
            several hand-ins the latest counts, whole.

    Raises:
        IntakeError: if a path does not exist, or an archive of a whole course cannot be read.
            One student's files never raise: they give a submission with a ``problem``.
    """
    pieces, unmatched = gather(paths, roster, teams)
    submissions, unused = [], []
    handed_in: set[str] = set()
    for team in parties(roster, teams):
        ids = {member.id for member in team.members}
        if own := [piece for piece in pieces if piece.owner in ids]:
            latest, others = _latest(own)
            taken, passed_over = submission(team.members[0], latest, manifest)
            if team.name:
                taken = msgspec.structs.replace(taken, team=team.name, members=team.members)
            submissions.append(taken)
            unused += [*passed_over, *others]
            handed_in |= ids
    return Intake(
        submissions=submissions,
        missing=[student for student in roster if student.id not in handed_in],
        unmatched=unmatched,
        unused=unused,
    )


def _latest(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Unmatched]]:
    """The files of the member who handed in last, and those of the others."""
    when = {piece.owner: place for place, piece in enumerate(pieces)}

    def age(owner: str) -> tuple[int, int]:
        return max(piece.attachment for piece in pieces if piece.owner == owner), when[owner]

    chosen = max(when, key=age)
    others = [
        Unmatched(source=piece.source, reason="a later hand-in of the same team was taken")
        for piece in pieces
        if piece.owner != chosen
    ]
    return [piece for piece in pieces if piece.owner == chosen], others
