"""*Download submissions* and *Upload submissions*: names of entries, and whom they reach.

Restated from ``lib/content_zipper.rb``, ``attachment.rb#make_unique_filename`` and
``abstract_assignment.rb#generate_comments_from_files``.
"""

from __future__ import annotations

import io
import mimetypes
import re
import unicodedata
import uuid
import zipfile
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from fakecanvas import grading
from fakecanvas.model import Assignment, Attachment, Course, Submission, User

if TYPE_CHECKING:
    from fakecanvas.canvas import Canvas

FORBIDDEN = re.compile(r'[\0/\\:*?"<>|]')


def content_type(name: str) -> str:
    """The type that a file's name promises."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def plain_name(name: str) -> str:
    """A file's display name: a few characters become underscores."""
    return FORBIDDEN.sub("_", name)


def unique_name(name: str, taken: Collection[str]) -> str:
    """A name that is not ``taken``: with a number, and after seven tries with a UUID."""
    stem, dot, extension = name.rpartition(".")
    stem, ending = (stem, dot + extension) if stem else (name, "")
    tries = [name, *(f"{stem}-{number}{ending}" for number in range(1, 8))]
    free = next((one for one in tries if one not in taken), None)
    return free or f"{stem}-{uuid.uuid4()}{ending}"


def entry_name(sortable_name: str) -> str:
    """The name by which an entry begins: lower case, word characters of any script only."""
    unwrapped = re.sub(r"_([0-9]+)_", r"-\1-", sortable_name)
    return "".join(one for one in unwrapped.lower() if _is_word(one))


def _is_word(character: str) -> bool:
    """Ruby's ``[[:word:]]``: letters, combining marks, decimal digits, connectors."""
    return unicodedata.category(character)[0] in "LM" or unicodedata.category(character) in {
        "Nd", "Pc", "Nl",
    }  # fmt: skip


def download(canvas: Canvas, course: Course, assignment: Assignment) -> tuple[str, bytes]:
    """The archive's name and bytes."""
    slug = f"{course.course_code.lower()}-{assignment.name.lower()} submissions"
    name = re.sub(r"[^\w-]", "", slug.replace(" ", "_")) + ".zip"
    out, taken = io.BytesIO(), set[str]()
    with zipfile.ZipFile(out, "w") as archive:
        for who, submission in _represented(canvas, course, assignment):
            for entry, data in _entries(course, who, submission):
                unique = unique_name(entry, taken)
                taken.add(unique)
                archive.writestr(unique, data)
    return name, out.getvalue()


def _represented(
    canvas: Canvas, course: Course, assignment: Assignment
) -> list[tuple[str, Submission]]:
    """Submissions with the name they go by: one a group where a group is graded together."""
    found, seen = [], set[int]()
    for submission in canvas.submissions(course, assignment):
        group = course.group_of(assignment, submission.user.id)
        together = group is not None and assignment.grades_groups_together
        if group is not None and together:
            if group.id in seen or submission.attempt is None:
                continue
            seen.add(group.id)
        name = group.name if group is not None and together else submission.user.sortable_name
        if submission.attempt is not None:
            found.append((entry_name(name), submission))
    return found


def _entries(course: Course, name: str, submission: Submission) -> list[tuple[str, bytes]]:
    attempt = submission.attempt
    assert attempt is not None
    late = grading.seconds_late(course, submission) > 0
    user = submission.user
    if submission.assignment.anonymous_grading:
        anonymous = f"anon_{anonymous_id(user)}"
        start = f"LATE_{anonymous}" if late else anonymous
    else:
        start = f"{name}_LATE_{user.id}" if late else f"{name}_{user.id}"
    if attempt.submission_type == "online_text_entry":
        return [(f"{start}_text.html", f"<html><body>{attempt.body}</body></html>".encode())]
    if attempt.submission_type == "online_url":
        link = f'<html><body><a href="{attempt.url}">{attempt.url}</a></body></html>'
        return [(f"{start}_link.html", link.encode())]
    return [(f"{start}_{one.id}_{one.display_name}", one.content)
            for one in attempt.attachments if not one.deleted]  # fmt: skip


def anonymous_id(user: User) -> str:
    """The five characters that stand for a student whose name is not shown."""
    return uuid.uuid5(uuid.NAMESPACE_OID, str(user.id)).hex[:5]


def reupload(
    canvas: Canvas, course: Course, assignment: Assignment, data: bytes, grader_id: int
) -> list[str]:
    """Comment below each submission with the files that are for it.

    Returns:
        Base names of the entries that were ignored.
    """
    ignored: list[str] = []
    given: dict[int, list[tuple[Attachment, str, bytes]]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            name = PurePosixPath(info.filename).name
            if info.is_dir():
                continue
            found = _meant(canvas, course, assignment, name)
            if found is None:
                ignored.append(name)
            else:
                given.setdefault(found[0], []).append((found[1], name, archive.read(info)))
    for user_id, files in given.items():
        _comment(canvas, course, assignment, canvas.users[user_id], files, grader_id)
    return ignored


def _meant(
    canvas: Canvas, course: Course, assignment: Assignment, name: str
) -> tuple[int, Attachment] | None:
    """Whose submission and which of its files a name speaks of."""
    tokens = [token for token in name.split("_") if token != "LATE"]
    if name.startswith("._") or (tokens and tokens[-1].startswith("link")):
        return None
    numbers = [int(token) for token in tokens if re.fullmatch("[0-9]+", token)][:2]
    if len(numbers) < 2:
        return None
    user_id, attachment_id = numbers
    submission = course.submissions.get((assignment.id, user_id))
    attempt = submission.attempt if submission else None
    own = {one.id: one for one in attempt.attachments if not one.deleted} if attempt else {}
    return (user_id, own[attachment_id]) if attachment_id in own else None


def _comment(
    canvas: Canvas, course: Course, assignment: Assignment, user: User,
    files: list[tuple[Attachment, str, bytes]], grader_id: int,
) -> None:  # fmt: skip
    made = [canvas.add_file(name, data, grader_id) for _, name, data in files]
    canvas.comment(
        course, assignment, user, grader_id, "See attached file(s)", made,
        everybody=assignment.grades_groups_together,
    )  # fmt: skip
    names = {new.id: old.display_name for (old, *_), new in zip(files, made, strict=True)}
    group = course.group_of(assignment, user.id)
    reached = {user.id}
    if group is not None and assignment.grades_groups_together:
        reached |= set(group.user_ids)
    for id_ in reached & {one.id for one in course.students()}:
        course.submissions[assignment.id, id_].comments[-1].shown_names |= names
