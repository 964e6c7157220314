"""Our one comment below a submission: what it says, how it is found again, what becomes of it.

It ends in a mark that is computed from what stands above it. So it is known again without any
record of it, and so is whether a person has changed it since.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from autograder.canvas.remote import Comment
from autograder.text import clean

__all__ = ["Deed", "Said", "body", "deed", "file_name", "ours"]

_MARK = re.compile(r"\s*\[autograder ([0-9a-f]{8})\]\s*")


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What our comment says, with its file."""

    text: str
    """With its mark; empty if there is to be no comment."""
    file: str = ""
    """Name of the attached file, which tells its contents; empty if there is none."""


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about our comment."""

    make: bool = False
    edit: int | None = None
    """Canvas id of the comment whose text is to be another one."""
    delete: list[int] = []
    """Canvas ids of our comments that go before another one is made."""
    remark: str = ""
    """Why it stays as it is, although it says something else."""

    @property
    def nothing(self) -> bool:
        """Whether nothing is to be done."""
        return not self.make and self.edit is None and not self.delete


def body(text: str) -> str:
    """``text`` as a comment says it: cleaned, and with its mark at the end."""
    text = clean(text).strip()
    return f"{text}\n\n[autograder {_digest(text)}]" if text else ""


def file_name(data: bytes, suffix: str) -> str:
    """The name under which a file with these bytes is attached, such as ``feedback-1f3a….html``."""
    return f"feedback-{hashlib.sha256(data).hexdigest()[:12]}{suffix}"


def ours(comments: Sequence[Comment], students: Collection[str]) -> list[Comment]:
    """Those with our mark, in the order they were made; students may write what they like.

    Args:
        comments: Below one submission.
        students: Canvas user ids of the course's students.
    """
    return [one for one in sorted(comments, key=lambda one: one.id)
            if _MARK.search(one.text) and str(one.author) not in students]  # fmt: skip


def deed(found: Sequence[Comment], wanted: Said, last: Said | None) -> Deed:
    """What makes of the comments that are there the one that is wanted.

    Args:
        found: Our comments, by :func:`ours`.
        wanted: What is to be there.
        last: What was seen to be there when it was last sent, if nothing was begun since.
    """
    if not wanted.text:
        return Deed()
    if not found:
        gone = last == wanted
        return Deed(make=not gone, remark="its comment was deleted in Canvas" if gone else "")
    right = [one for one in found if _says(one, wanted)]
    kept = (right or sorted(found, key=_touched))[0]
    extra = [one.id for one in found if one is not kept and not _touched(one)]
    if right:
        return Deed(delete=extra)
    if _touched(kept):
        return Deed(remark="its comment was changed in Canvas")
    if _has_file(kept, wanted.file):
        return Deed(edit=kept.id, delete=extra)
    return Deed(make=True, delete=[kept.id, *extra])


def _says(comment: Comment, wanted: Said) -> bool:
    same = comment.text.replace("\r\n", "\n").strip() == wanted.text
    return same and _has_file(comment, wanted.file)


def _has_file(comment: Comment, name: str) -> bool:
    """Whether it carries this file and no other; Canvas may have added a number to its name."""
    stem = Path(name).stem
    if not name:
        return not comment.files
    return len(comment.files) == 1 and comment.files[0].startswith(stem)


def _touched(comment: Comment) -> bool:
    """Whether a person has changed it since we wrote it."""
    text = comment.text.replace("\r\n", "\n")
    mark = _MARK.search(text)
    if mark is None or mark.end() < len(text):
        return True
    return _digest(text[: mark.start()].strip()) != mark[1]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
