"""A term of 300 students ends with every grade right, written once, and no decision lost."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from story import TITLES, Story, instructor


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    made = Story(tmp_path_factory.mktemp("term"), say=lambda line: None)
    with instructor(made):
        made.tell()
    yield made


def test_every_grade_in_canvas_is_the_right_one(story: Story) -> None:
    for name in TITLES:
        for user in story.people:
            found = story.of(name, user).entered_score
            right = story.right(name, user)
            assert (None if found is None else Decimal(str(found))) == right, (name, user.id)


def test_every_grade_was_written_once(story: Story) -> None:
    for (name, user), grades in story.writes.items():
        hands = (name, user) in story.by_hand
        one = story.of(name, story.canvas.users[user])
        assert one.writes == len(grades) + hands, (name, user, grades)


def test_no_decision_of_a_person_was_lost(story: Story) -> None:
    for (name, user), grade in story.by_hand.items():
        one = story.of(name, story.canvas.users[user])
        assert (one.excused, one.entered_score) == (grade is None, grade)
        assert f"({user})" in story.conflicts


def test_being_late_was_counted_once(story: Story) -> None:
    assert all(one.points_deducted in (None, 0) for one in story.course.submissions.values())


def test_each_student_has_one_comment_for_each_grade_with_its_sum(story: Story) -> None:
    for name in TITLES:
        for user in story.people:
            one = story.of(name, user)
            ours = [comment for comment in one.comments if "[autograder " in comment.comment]
            if (name, user.id) in story.writes:
                assert len(ours) == 1, (name, user.id)
                assert len(ours[0].attachments) == (name == "audit")
                if (name, user.id) not in story.by_hand:
                    assert f"{one.entered_score:g}" in ours[0].comment
            else:
                assert not ours


def test_nobody_saw_a_grade_before_it_was_posted(story: Story) -> None:
    assert story.seen_before == []
    graded = [one for one in story.course.submissions.values() if one.entered_score is not None]
    assert all(one.posted_at for one in graded) and len(graded) > 1000


def test_who_handed_in_after_the_grading_is_named_and_left_alone(story: Story) -> None:
    for _, user in story.behind:
        line = next(text for text in story.conflicts.splitlines() if f"({user})" in text)
        assert "handed in again" in line


def test_everything_that_was_to_go_wrong_did(story: Story) -> None:
    faults = story.canvas.faults
    assert [fault.path for fault in faults.answers if fault.matches < fault.nth] == []
    assert faults.jobs == [] and story.killed
    assert any(status == 403 for _, _, status in story.canvas.log), "Canvas throttled nobody"
