"""Making one submission of all the files of one student."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autograder import notebook
from autograder.bundle import Manifest
from autograder.errors import NotebookError
from autograder.intake.gather import SUFFIX, Piece, Unmatched
from autograder.intake.names import expected, is_copy, upload
from autograder.model import Student, Submission
from autograder.text import one_line


def submission(
    student: Student, pieces: Sequence[Piece], manifest: Manifest
) -> tuple[Submission, list[Unmatched]]:
    """Choose among ``pieces``, all of one student.

    The newest download counts. Of its notebooks, a readable one goes before others, then the one
    of the assignment's name, then the newest.

    Returns:
        The submission, and the files that were passed over.
    """
    newest = _newest_group(pieces)
    files = _files(newest, manifest)
    notebooks = [piece for piece in newest if is_notebook(piece.name)]
    chosen = max(notebooks, key=lambda piece: _rank(piece, manifest), default=None)
    taken = Submission(
        student=student,
        source=chosen.source if chosen else newest[0].source,
        notebook=chosen.data if chosen else b"",
        files={name: piece.data for name, piece in files.items()},
        attempt=upload(chosen.name, manifest.notebook) if chosen else 1,
        late=any(piece.late for piece in newest),
        problem=problem(chosen) if chosen else _no_notebook(newest, manifest),
        entry=chosen.entry if chosen else "",
    )
    used = [*files.values(), *([chosen] if chosen else [])]
    return taken, _passed_over(pieces, newest, used)


def is_notebook(name: str) -> bool:
    """Whether a file name is that of a notebook."""
    ending = SUFFIX.search(name)
    return ending is not None and ending[0].lower().startswith(".ipynb")


def problem(piece: Piece) -> str:
    """Why the notebook ``piece`` cannot be graded, one sentence for the student, or empty."""
    if piece.problem:
        return _unreadable(piece)
    try:
        notebook.read(piece.data)
    except NotebookError as error:
        return str(error)
    return ""


def _newest_group(pieces: Sequence[Piece]) -> list[Piece]:
    groups = {piece.group: index for index, piece in enumerate(pieces)}

    def age(group: str) -> tuple[int, int]:
        return max(p.attachment for p in pieces if p.group == group), groups[group]

    newest = max(groups, key=age)
    return [piece for piece in pieces if piece.group == newest]


def _rank(piece: Piece, manifest: Manifest) -> tuple[bool, bool, int, int]:
    name = manifest.notebook
    readable = not problem(piece)
    return readable, is_copy(piece.name, name), piece.attachment, upload(piece.name, name)


def _files(pieces: Iterable[Piece], manifest: Manifest) -> dict[str, Piece]:
    files: dict[str, Piece] = {}
    for piece in pieces:
        name = _expected(piece, manifest)
        if name and not piece.problem and _newer(piece, files.get(name), name):
            files[name] = piece
    return files


def _expected(piece: Piece, manifest: Manifest) -> str | None:
    if not piece.named_after_owner:
        return expected(piece.name, manifest.expected_files)
    ending = SUFFIX.findall(piece.name)
    alike = [name for name in manifest.expected_files if SUFFIX.findall(name) == ending]
    return alike[0] if len(alike) == 1 else None


def _newer(piece: Piece, other: Piece | None, name: str) -> bool:
    if other is None:
        return True
    return (piece.attachment, upload(piece.name, name)) > (
        other.attachment,
        upload(other.name, name),
    )


def _no_notebook(pieces: Sequence[Piece], manifest: Manifest) -> str:
    refused = next((piece for piece in pieces if piece.problem), None)
    if refused is not None:
        return _unreadable(refused)
    if all(piece.page for piece in pieces):
        return f"You handed in a text or a link and no notebook; hand in {manifest.notebook}."
    names = one_line(", ".join(sorted({piece.name for piece in pieces if not piece.page})))
    return f"You handed in no notebook, only {names}; hand in {manifest.notebook}."


def _unreadable(piece: Piece) -> str:
    name = one_line(piece.name, 80)
    if piece.problem.endswith("."):
        return f"{name} cannot be read: {piece.problem}"
    return f"{name} cannot be read because {piece.problem}; hand it in again."


def _passed_over(
    pieces: Sequence[Piece], newest: Sequence[Piece], used: Sequence[Piece]
) -> list[Unmatched]:
    return [
        Unmatched(source=piece.source, reason=_reason(piece, piece.group == newest[0].group))
        for piece in pieces
        if not any(piece is one for one in used)
    ]


def _reason(piece: Piece, current: bool) -> str:
    if not current:
        return "there is a newer submission of the same student"
    if piece.problem:
        return piece.problem
    if is_notebook(piece.name):
        return "another notebook of the same student was taken"
    return "the assignment does not ask for such a file"
