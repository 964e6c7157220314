from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from autograder.build import names
from autograder.course import (
    Deducts,
    FinalPolicy,
    LatePolicy,
    Missing,
    Policies,
    deadline,
    digits,
    moment,
    parse,
    read,
)
from autograder.errors import CourseError
from autograder.policy import Of
from autograder.syllabus import entries

PROJECT = Path(__file__).parents[2]
HEAD = 'title = "T"\nterm = "S"\nlicence = "MIT"\n'
ONE = """
[[assignment]]
name = "one"
kind = "homework"
points = 10
weight = 0.3
release = 2027-01-01T09:00:00+01:00
due = 2027-01-31T23:59:00+01:00
"""
PROJECT_TABLE = """
[[assignment]]
name = "two"
kind = "project"
points = 20
weight = 0.7
release = 2027-02-01T09:00:00Z
due = 2027-04-01T00:00:00Z

[[assignment.milestone]]
question = "p0"
title = "Plan"
points = 8
due = 2027-03-01T00:00:00Z

[[assignment.milestone]]
question = "p1"
title = "Report"
points = 12
due = 2027-04-01T00:00:00Z
"""
LAB = """
[[assignment]]
name = "lab_1"
kind = "lab"
release = 2027-01-01T09:00:00Z
"""
TEXT = HEAD + ONE + PROJECT_TABLE + LAB


def test_a_course_is_read_with_its_defaults() -> None:
    course = parse(TEXT)
    assert [one.name for one in course.graded] == ["one", "two"]
    assert course.graded[0].weight == Decimal("0.3"), "exactly, not as a binary fraction"
    assert [part.points for part in course.named("two").milestone] == [8, 12]
    assert course.policies.late is None and course.policies.final.missing is Missing.OPEN
    assert course.github is None and course.branch == "main"


def test_the_courses_own_file_holds_and_names_every_assignment() -> None:
    course = read(PROJECT)
    assert {entry.plan.name for entry in entries(course, PROJECT)} == set(names(PROJECT))


def test_the_documented_example_is_a_course_file() -> None:
    text = (PROJECT / "docs" / "course.md").read_text("utf-8")
    course = parse(text.partition("```toml\n")[2].partition("```")[0])
    assert course.github == ("owner", "course") and course.policies.late is not None
    assert course.canvas is not None and course.assignment[0].canvas == 88131


def test_what_is_out_is_decided_by_the_moment_or_the_day_of_its_own_place() -> None:
    course = parse(TEXT)
    at = course.named("one").release
    before, after = at - timedelta(seconds=1), at.astimezone(UTC)
    assert "one" not in [one.name for one in course.released(before)]
    assert "one" in [one.name for one in course.released(after)]
    midnight = TEXT.replace("2027-01-01T09:00:00+01:00", "2027-01-02T00:30:00+01:00")
    assert [one.name for one in parse(midnight).released(date(2027, 1, 1))] == ["lab_1"]
    assert len(parse(midnight).released(date(2027, 1, 2))) == 2


def test_moments_and_numbers_are_written_for_people() -> None:
    course = parse(TEXT)
    assert moment(course.assignment[0].release) == "Fri 01 Jan 2027, 09:00 (UTC+01:00)"
    assert moment(datetime(2027, 2, 1, 9, tzinfo=UTC)) == "Mon 01 Feb 2027, 09:00 (UTC)"
    assert deadline(course.named("two")) == "Thu 01 Apr 2027, 00:00 (UTC)"
    closes = TEXT.replace("points = 20", "points = 20\ncloses = 2027-04-02T00:00:00Z")
    assert deadline(parse(closes).named("two")).endswith(", closes Fri 02 Apr 2027, 00:00 (UTC)")
    assert deadline(course.named("lab_1")) == ""
    assert [digits(Decimal(text)) for text in ("100", "84.0", "0.50", "0")] == [
        "100", "84", "0.5", "0",
    ]  # fmt: skip


LATE = HEAD + "[policies.late]\nper_day = 0.1\n" + ONE + PROJECT_TABLE
CANVAS = (
    HEAD + '[canvas]\naddress = "https://canvas.example.edu"\ncourse = 9\n' + ONE + PROJECT_TABLE
)
CLOSES = 'title = "Plan"\ncloses = 2027-02-01T00:00:00Z'


@pytest.mark.parametrize(
    ("text", "old", "new", "says"),
    [
        (TEXT, "title = ", "titel = ", "course.toml: Object contains unknown field `titel`"),
        (TEXT, '"T"', '" "', "course.toml: title: it is empty"),
        (TEXT, '"T"', '"T', "course.toml: Illegal character"),
        (TEXT, "points = 10", 'points = "x"', "assignment one.points: Invalid decimal"),
        (TEXT, '"homework"', '"quiz"', "assignment one.kind: Invalid enum value 'quiz'"),
        (TEXT, "09:00:00+01:00", "09:00:00", "assignment one.release: Expected `datetime` with a"),
        (TEXT, 'title = "Plan"', "", "two.milestone 1: Object missing required field `title`"),
        (TEXT, "2027-01-31T", "2026-01-31T", "assignment one: due: Sat 31 Jan 2026"),
        (TEXT, "due = 2027-01-31T23:59:00+01:00", "", "assignment one: due: what is graded"),
        (TEXT, "weight = 0.3", "weight = 0.4", "weight: the weights add up to 1.1, not to 1"),
        (TEXT, "weight = 0.3", "weight = nan", "assignment one: weight: NaN is no share"),
        (TEXT, "weight = 0.3\n", "", "assignment one: weight: what is graded needs a share"),
        (TEXT, "points = 10\n", "", "assignment one: points: what is graded needs points"),
        (TEXT, '"one"', '"two"', "assignment: two is there 2 times"),
        (TEXT, '"one"', '"../one"', "'../one' is no plain name"),
        (TEXT, '"lab"', '"lab"\nweight = 0.1', "assignment lab_1: a lab is not graded"),
        (TEXT, "points = 20", "points = 21", "its milestones add up to 20, not to 21"),
        (TEXT, '"p1"', '"p0"', "assignment two: milestone: p0 is there 2 times"),
        (TEXT, "due = 2027-03-01", "due = 2027-05-01", "milestone p0: due: Sat 01 May 2027"),
        (TEXT, '"project"', '"homework"', "milestone: only a project has milestones"),
        (TEXT, "points = 20", 'points = 20\ncolumn = "9"', "column: where there are milestones"),
        (TEXT, 'term = "S"', 'term = "S"\nrepository = "git@x"', "is no https:// address"),
        (TEXT, 'term = "S"', 'term = "S"\nbranch = "a b"', "branch: 'a b' is no name of a branch"),
        (LATE, "per_day = 0.1", "per_day = 10", "policies.late.per_day: 10 is no share"),
        (LATE, "per_day", "grace_hours = -1\nper_day", "grace_hours: -1 is no number of hours"),
        (LATE, "per_day", "per_hour = 0.1\nper_day", "late: it needs per_day or per_hour, and not"),
        (LATE, "per_day = 0.1", "", "policies.late: it needs per_day or per_hour"),
        (LATE, "per_day = 0.1", "per_hour = 2", "policies.late.per_hour: 2 is no share"),
        (LATE, "per_day", "grace_hours = 1\nper_day", "grace_hours: Canvas' late policy knows"),
        (LATE, "per_day", 'of = "earned"\nper_day', "policies.late.of: Canvas' late policy knows"),
        (LATE, "per_day", 'by = "me"\nper_day', "policies.late.by: Invalid enum value 'me'"),
        (TEXT, "[[assi", '[policies]\nattempts = "first"\n[[assi', "attempts: Invalid enum value"),
        (TEXT, "[[assi", "[policies.final]\ndrop_lowest = 1\n[[assi", "of 1 homework at least one"),
        (CANVAS, "https://canvas.example.edu", "canvas.example.edu", "canvas.address: 'canvas.ex"),
        (CANVAS, "https://", "http://", "canvas.address: 'http://canvas.example.edu' is no"),
        (CANVAS, "course = 9", "course = 0", "canvas.course: Expected `int` >= 1"),
        (TEXT.replace("points = 8", "points = 8\ncanvas = 7"), "points = 10",
         "points = 10\ncanvas = 7", "assignment: canvas: the id 7 is there 2 times"),
        (TEXT, '"lab"', '"lab"\ncanvas = 7', "it has no weight, points, column, canvas or"),
        (TEXT, '"lab"', '"lab"\ncloses = 2027-02-01T00:00:00Z', "is not after a due time."),
        (TEXT, "points = 10", "points = 10\ncloses = 2027-01-31T00:00:00Z",
         "assignment one: closes: Sun 31 Jan 2027, 00:00 (UTC) is not after its due time, Sun"),
        (TEXT, 'title = "Plan"', CLOSES, "two: milestone p0: closes: Mon 01 Feb 2027"),
        (HEAD, "", "", "missing required field `assignment`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence_with_file_and_key(
    text: str, old: str, new: str, says: str
) -> None:
    assert old in text
    with pytest.raises(CourseError) as raised:
        parse(text.replace(old, new, 1))
    assert str(raised.value).startswith("course.toml: ") and says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_late_rule_is_told_in_words_and_applied_as_told() -> None:
    day = LatePolicy(per_day=Decimal("0.1"), floor=Decimal("0.3"))
    assert str(day) == (
        "Late: each day begun since the due time costs 10 % of the points possible in tests, but "
        "nobody falls below 30 % of the points possible in tests by that. Canvas takes it off."
    )
    hour = LatePolicy(
        by=Deducts.AUTOGRADER, per_hour=Decimal("0.005"), grace_hours=Decimal("1.5"), of=Of.EARNED
    )
    assert str(hour) == (
        "Late: up to 1.5 hours costs nothing; beyond that, each hour begun since the due time "
        "costs 0.5 % of the points earned in tests."
    )
    assert hour.rule.interval == timedelta(hours=1) and hour.rule.grace == timedelta(minutes=90)
    assert day.rule.share == Decimal("0.1") and day.rule.interval == timedelta(days=1)


def test_rules_are_told_to_students_only_as_far_as_there_are_any() -> None:
    assert Policies().sentences == ["If you hand in more than once, the last attempt counts."]
    course = parse(
        LATE.replace("[policies.late]", '[policies]\nattempts = "best"\n[policies.late]')
    )
    late, which = course.policies.sentences
    assert late == str(course.policies.late)
    assert which == "If you hand in more than once, the best attempt counts."
    ours = replace(course.policies.late, by=Deducts.AUTOGRADER)
    which = replace(course.policies, late=ours).sentences[1]
    assert which.endswith("the best attempt counts, after what being late costs each.")
    assert "2 lowest homeworks of each student are dropped" in FinalPolicy(drop_lowest=2).dropping
    assert "The lowest homework of each student is dropped" in str(FinalPolicy(drop_lowest=1))


def test_a_missing_file_or_name_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match=r"course\.toml cannot be read \(No such file"):
        read(tmp_path)
    with pytest.raises(CourseError, match=r"no assignment 'three'; it has one, two, lab_1\."):
        parse(TEXT).named("three")
