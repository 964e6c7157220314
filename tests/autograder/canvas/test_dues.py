"""Of the dates that apply to a student, Canvas lets the most lenient count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from autograder.canvas.dues import Override, due

DUE = datetime(2027, 2, 10, 23, 59, tzinfo=UTC)
DAY = timedelta(days=1)


def ask(*overrides: Override) -> datetime | None:
    """For student 101 of sections 1 and 2 and of group 5."""
    return due(DUE, overrides, 101, [1, 2], 5)


@pytest.mark.parametrize(
    "target", [{"student_ids": [100, 101]}, {"group_id": 5}, {"course_section_id": 2},
               {"course_id": 1}],
)  # fmt: skip
def test_an_override_replaces_the_general_date_of_those_it_is_for(target: dict[str, int]) -> None:
    assert ask(Override(due_at=DUE - DAY, **target)) == DUE - DAY
    assert ask(Override(due_at=None, **target)) is None


@pytest.mark.parametrize(
    "target", [{"student_ids": [102]}, {"group_id": 6}, {"course_section_id": 3}, {}]
)
def test_an_override_of_others_changes_nothing(target: dict[str, int]) -> None:
    assert ask(Override(due_at=DUE + DAY, **target)) == DUE


def test_the_latest_of_several_counts_and_none_is_later_than_any() -> None:
    own = Override(due_at=DUE + DAY, student_ids=[101])
    section = Override(due_at=DUE + 2 * DAY, course_section_id=1)
    never = Override(due_at=None, group_id=5)
    assert ask(own, section) == DUE + 2 * DAY
    assert ask(own, never, section) is None


def test_an_override_that_changes_other_dates_only_does_not_count() -> None:
    opened = msgspec.convert({"student_ids": [101], "unlock_at": None, "id": 3}, Override)
    assert ask(opened) == DUE
    assert ask(opened, Override(due_at=DUE - DAY, course_section_id=1)) == DUE - DAY


def test_nobody_is_in_the_group_of_those_without_one() -> None:
    assert due(DUE, [Override(due_at=None, course_section_id=9)], 101, [], None) == DUE
