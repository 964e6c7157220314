"""From what was handed in to submissions: what was fetched, a Canvas archive, a folder, files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from autograder.bundle import Manifest
from autograder.errors import IntakeError
from autograder.grades import NO_RULES, Rules
from autograder.intake.choose import submission
from autograder.intake.fetched import fetched, strangers
from autograder.intake.gather import Piece, Unmatched, gather
from autograder.model import Student, Submission
from autograder.policy import Attempts
from autograder.pulled import Pull, read
from autograder.teams import Team, parties

__all__ = ["Intake", "Unmatched", "fetched_from", "intake"]


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was found, in the roster's order."""

    submissions: list[Submission]
    """One for each student who handed in anything, readable or not, or for each attempt."""
    missing: list[Student]
    """Students of the roster who handed in nothing."""
    unmatched: list[Unmatched]
    """Files that belong to nobody in the roster, or to nobody for certain."""
    unused: list[Unmatched]
    """Files of students that were passed over: older attempts, second notebooks, other files."""
    fetched: str = ""
    """The folder that was fetched from Canvas, if it is one."""
    attempts: Attempts | None = None
    """Which attempt counts, if that was said otherwise than in the course file."""


def intake(
    paths: Sequence[Path],
    roster: Sequence[Student],
    manifest: Manifest,
    teams: Sequence[Team] = (),
    rules: Rules = NO_RULES,
) -> Intake:
    """Collect submissions.

    Whose a file is, is decided by its name and the roster alone: by the names Canvas gives, or by
    a Canvas id, login or SIS id as the name of the file or of a folder around it. What students
    write into their files means nothing. Otter's export archives are opened; their logs, which
    are pickles, are not.

    What was fetched from Canvas tells whose a file is, and when it came, by its ``pull.json``. Of
    it there may be several submissions of one student.

    Args:
        paths: Archives, folders and files, later ones being newer if nothing else tells; or one
            folder that was fetched from Canvas.
        roster: As ``autograder.gradebook`` reads it.
        manifest: Of the assignment, which names the notebook and the files beside it.
        teams: Who hands in together. A team has one submission, whoever of it handed in; of
            several hand-ins the latest counts, whole.
        rules: Which attempts are graded of what was fetched, and until when they are taken.

    Raises:
        IntakeError: if a path does not exist, an archive of a whole course cannot be read, or a
            file that was fetched is not there any more. One student's files never raise: they
            give a submission with a ``problem``.
    """
    if pull := fetched_from(paths):
        return _fetched(paths[0], pull, roster, manifest, teams, rules)
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


def fetched_from(paths: Sequence[Path]) -> Pull | None:
    """What ``paths`` say was fetched from Canvas, if they are one such folder.

    Raises:
        IntakeError: if such a folder is one of several, or its list is damaged.
    """
    pulls = [pull for path in paths if (pull := read(path)) is not None]
    if pulls and len(paths) > 1:
        raise IntakeError(
            f"{' and '.join(map(str, paths))} cannot be graded together: one of them was fetched "
            "from Canvas and has every attempt already; name it alone."
        )
    return pulls[0] if pulls else None


def _fetched(
    folder: Path,
    pull: Pull,
    roster: Sequence[Student],
    manifest: Manifest,
    teams: Sequence[Team],
    rules: Rules,
) -> Intake:
    found = [
        one
        for party in parties(roster, teams)
        for one in fetched(folder, pull, party, manifest, rules)
    ]
    submissions = [taken for taken, _ in found]
    handed_in = {each.id for one in submissions for each in one.members or [one.student]}
    return Intake(
        submissions=submissions,
        missing=[student for student in roster if student.id not in handed_in],
        unmatched=strangers(folder, pull, roster),
        unused=[each for _, unused in found for each in unused],
        fetched=str(folder.resolve()),
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
