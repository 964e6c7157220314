"""When an assignment is due for whom: general date, and overrides for people, groups, sections.

Of all overrides that apply to a student and change the due time, the most lenient counts: none
before any, a later one before an earlier one; only if there is none, the general one counts
(Canvas ``lib/assignment_override_applicator.rb``, ``override_for_due_at``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

__all__ = ["Override", "due"]


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """Other dates for some students; it targets people, a group, a section or the whole course."""

    due_at: datetime | UnsetType | None = UNSET
    """There only if the override changes it."""
    student_ids: list[int] | None = None
    group_id: int | None = None
    course_section_id: int | None = None
    course_id: int | None = None


def due(
    general: datetime | None, overrides: Iterable[Override], user: int, sections: Collection[int],
    group: int | None,
) -> datetime | None:  # fmt: skip
    """When it is due for one student; ``None`` for never.

    Args:
        general: The assignment's own due time.
        overrides: All there are.
        user: Canvas user id.
        sections: Canvas ids of the student's sections.
        group: Canvas id of the group in which the student does it.
    """
    dates = [
        one.due_at for one in overrides
        if not isinstance(one.due_at, UnsetType) and _applies(one, user, sections, group)
    ]  # fmt: skip
    if not dates:
        return general
    fixed = [one for one in dates if one is not None]
    return max(fixed) if len(fixed) == len(dates) else None


def _applies(one: Override, user: int, sections: Collection[int], group: int | None) -> bool:
    return (
        user in (one.student_ids or [])
        or (one.group_id is not None and one.group_id == group)
        or one.course_section_id in sections
        or one.course_id is not None
    )
