import csv
import io
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from autograder.canvas.export import export
from autograder.canvas.final import Component, Final, components, finals, half_up
from autograder.canvas.finalfile import for_canvas, table, write_table
from autograder.canvas.importer import imported
from autograder.course import Course, FinalPolicy, Missing, Unassigned, parse
from autograder.errors import ExportError
from autograder.gradebook import Gradebook
from autograder.gradebook import parse as parse_book
from autograder.syllabus import Entry

COURSE = """
title = "T"
term = "S"
licence = "MIT"
[[assignment]]
name = "hw"
kind = "homework"
points = 100
weight = 0.6
release = 2027-02-01T09:00:00Z
due = 2027-04-01T00:00:00Z
column = ["11", "CNNs, written"]
[[assignment]]
name = "project"
kind = "project"
points = 30
weight = 0.4
release = 2027-02-01T09:00:00Z
due = 2027-04-01T00:00:00Z
[[assignment.milestone]]
question = "p0"
title = "Plan"
points = 10
due = 2027-04-01T00:00:00Z
[[assignment.milestone]]
question = "p1"
title = "Report"
points = 20
due = 2027-04-01T00:00:00Z
[[assignment]]
name = "lab_1"
kind = "lab"
release = 2027-02-01T09:00:00Z
"""
HEADER = ("Student,ID,SIS Login ID,Section,CNNs (11),\"CNNs, written (12)\",plan (13),"
          "My project: Report (14),Total (99),Final Score")  # fmt: skip
POINTS = "    Points Possible,,,,84,16.00,10,20,100,(read only)"
TITLES = {"hw": "CNNs", "project": "My project", "lab_1": "Lab"}


def course(text: str = COURSE) -> Course:
    return parse(text)


def entries(plan: Course) -> list[Entry]:
    return [
        Entry(
            plan=one, title=TITLES[one.name], notebook="n.ipynb", questions=[], rubric={}, files=[]
        )
        for one in plan.assignment
    ]


def book(*rows: str, header: str = HEADER, points: str = POINTS) -> Gradebook:
    return parse_book(("\n".join([header, points, *rows]) + "\n").encode())


def row(*cells: object, name: str = '"Lovelace, Ada"', user: int = 101) -> str:
    return ",".join([name, str(user), "ada", "A", *map(str, cells), "", ""])


def computed(
    *rows: str,
    plan: Course | None = None,
    header: str = HEADER,
    points: str = POINTS,
    **policy: Any,
) -> list[Final]:
    plan, gradebook = plan or course(), book(*rows, header=header, points=points)
    return finals(gradebook, components(plan, entries(plan), gradebook), FinalPolicy(**policy))


def test_weights_are_applied_and_the_sum_is_shown() -> None:
    (final,) = computed(row(80, 12, 5, 20))
    assert final.total == Decimal("88.53")
    assert final.arithmetic == "100 × (0.6 × 92/100 + 0.4 × 25/30) = 88.53"
    assert final.remarks == []


@pytest.mark.parametrize(
    ("cells", "total", "arithmetic"),
    [
        (("EX", "EX", 5, 20), "83.33", "100 × (0.4 × 25/30) / 0.4 = 83.33"),
        ((80, "EX", 5, 20), "90.48", "100 × (0.6 × 80/84 + 0.4 × 25/30) = 90.48"),
        ((80, 12, "ex", 20), "95.2", "100 × (0.6 × 92/100 + 0.4 × 20/20) = 95.2"),
        ((80, 12, "Excused", "EX"), "92", "100 × (0.6 × 92/100) / 0.6 = 92"),
    ],
)
def test_what_is_excused_is_left_out_and_the_rest_weighs_more(
    cells: tuple[object, ...], total: str, arithmetic: str
) -> None:
    (final,) = computed(row(*cells))
    assert (final.total, final.arithmetic) == (Decimal(total), arithmetic)


def test_a_blank_cell_leaves_the_grade_open_or_counts_as_zero() -> None:
    (final,) = computed(row(80, "", 5, 20))
    assert final.total is None and final.arithmetic == ""
    assert final.remarks == ["missing: CNNs, written (12)"]
    (final,) = computed(row(80, "-", 5, 20), missing=Missing.ZERO)
    assert final.total == Decimal("81.33")
    assert final.remarks == ["counted as 0: CNNs, written (12)"]


def test_what_is_not_assigned_leaves_the_grade_open_or_is_excused() -> None:
    for missing in Missing:
        (final,) = computed(row(80, 12, "N/A", 20), missing=missing)
        assert final.total is None and final.remarks == ["not assigned: plan (13)"]
    (final,) = computed(row(80, 12, "n/a", 20), unassigned=Unassigned.EXCUSED)
    assert final.total == Decimal("95.2")


def test_who_is_excused_from_everything_has_no_grade() -> None:
    (final,) = computed(row("EX", "EX", "EX", "EX"))
    assert final.total is None and final.remarks == [
        "excused: CNNs (11), CNNs, written (12)",
        "excused: plan (13), My project: Report (14)",
    ]


def test_numbers_are_read_as_canvas_does_and_may_exceed_the_points() -> None:
    (final,) = computed(row('"80,5"', 12, '"1,000.5"', 20))
    assert "1020.5/30" in final.arithmetic and "92.5/100" in final.arithmetic
    header, points = HEADER.replace(",", ";"), POINTS.replace(",", ";").replace("16.00", "16,00")
    header = header.replace("CNNs; written", "CNNs, written")
    text = row(80, 12, 5, 20, name="Ada").replace(",", ";").replace("12", "12,5")
    (final,) = computed(text, header=header, points=points)
    assert "92.5/100" in final.arithmetic


@pytest.mark.parametrize("cell", ["A-", "85%", "-3", "complete", "1e1", "."])
def test_what_is_no_number_of_points_is_refused_by_name_and_column(cell: str) -> None:
    with pytest.raises(ExportError) as raised:
        computed(row(80, cell, 5, 20))
    assert "Lovelace, Ada (row 3)" in str(raised.value) and "written (12)" in str(raised.value)


@pytest.mark.parametrize(
    ("plan", "header", "points", "says"),
    [
        (('"11", ', '"98", '), None, None, "has no assignment '98'; it has 'CNNs (11)'"),
        (('column = ["11", "CNNs, written"]', ""), None, None, "worth 84 points"),
        (None, ("plan (13)", "Planning (13)"), None, "no column of the title of project"),
        (None, ("Total (99)", "Plan (99)"), None, "several columns of the title of project"),
        (('"11", ', '"13", '), None, None, "worth 26 points, and course.toml that hw is worth 100"),
        (('points = 10\ndue', 'points = 10\ncolumn = "14"\ndue'), None, None, "is worth 20 points"),
        (None, None, (",84,", ",82,"), "worth 98 points, and course.toml that hw is worth 100"),
        (None, None, (",84,", ",,"), "does not say what 'CNNs (11)' is worth"),
        (('"CNNs, written"', '"11", "12"'), None, (",84,16.00", ",42,16"), "would count 2 times"),
    ],
)  # fmt: skip
def test_columns_and_points_must_be_those_of_the_course(
    plan: Any, header: Any, points: Any, says: str
) -> None:
    with pytest.raises(ExportError) as raised:
        computed(
            row(1, 1, 1, 1),
            plan=course(COURSE.replace(*plan) if plan else COURSE),
            header=HEADER.replace(*header) if header else HEADER,
            points=POINTS.replace(*points) if points else POINTS,
        )
    assert says in str(raised.value)


def test_the_test_student_has_no_grade_and_a_damaged_gradebook_gives_none() -> None:
    rows = [row(80, 12, 5, 20), row(1, 1, 1, 1, name='"Student, Test"', user=999)]
    assert len(computed(*rows)) == 1
    with pytest.raises(ExportError, match="another row has too"):
        computed(rows[0], rows[0])


FOUR = "".join(
    f"""
[[assignment]]
name = "hw{number}"
kind = "homework"
points = 10
weight = {weight}
release = 2027-02-01T09:00:00Z
due = 2027-04-01T00:00:00Z
column = "{number}"
"""
    for number, weight in ((1, 0.1), (2, 0.2), (3, 0.3))
)
DROPPING = (
    COURSE[: COURSE.index("[[assignment]]")]
    + FOUR
    + COURSE[COURSE.index('[[assignment]]\nname = "project"') :]
)
DROPPING_HEADER = (
    "Student,ID,SIS Login ID,Section,One (1),Two (2),Three (3),plan (13),Report (14),Final Score"
)
DROPPING_POINTS = "    Points Possible,,,,10,10,10,10,20,(read only)"


def dropping(*cells: object, count: int = 1, **policy: Any) -> Final:
    """The final grade with homeworks of 0.1, 0.2, 0.3 and a project of 0.4."""
    plan = course(DROPPING)
    gradebook = book(
        ",".join(['"Lovelace, Ada"', "101", "ada", "A", *map(str, cells), ""]),
        header=DROPPING_HEADER, points=DROPPING_POINTS,
    )  # fmt: skip
    titled = [
        Entry(plan=one, title=TITLES.get(one.name, one.name), notebook="n.ipynb", questions=[],
              rubric={}, files=[])
        for one in plan.assignment
    ]  # fmt: skip
    parts = components(plan, titled, gradebook)
    (final,) = finals(gradebook, parts, FinalPolicy(drop_lowest=count, **policy))
    return final


def test_the_lowest_homework_is_dropped_and_the_other_homeworks_weigh_more_for_it() -> None:
    final = dropping(9, 2, 8, 5, 20)
    assert final.total == Decimal("82.83")
    assert final.arithmetic == (
        "100 × (0.6 × (0.1 × 9/10 + 0.3 × 8/10) / 0.4 + 0.4 × 25/30) = 82.83; "
        "dropped: hw2 with 2/10"
    )
    assert final.remarks == [], "a dropped homework is not missing"
    assert dropping(9, 2, 8, 5, 20, count=0).arithmetic == (
        "100 × (0.1 × 9/10 + 0.2 × 2/10 + 0.3 × 8/10 + 0.4 × 25/30) = 70.33"
    )


def test_the_project_is_never_dropped_and_one_homework_always_stays() -> None:
    final = dropping(9, 2, 8, 0, 0, count=5)
    assert [one.component.name for one in final.dropped] == ["hw2", "hw3"]
    assert final.total == 54


def test_who_is_excused_has_that_neither_dropped_nor_kept_from_being_dropped() -> None:
    final = dropping("EX", 2, 8, 5, 20)
    assert [one.component.name for one in final.dropped] == ["hw2"]
    assert final.arithmetic == (
        "100 × (0.5 × (0.3 × 8/10) / 0.3 + 0.4 × 25/30) / 0.9 = 81.48; dropped: hw2 with 2/10"
    )
    assert dropping("EX", "EX", 8, 5, 20).dropped == []
    assert dropping("EX", "EX", "EX", 5, 20).total == Decimal("83.33")


def test_a_missing_homework_leaves_the_grade_open_or_is_the_lowest() -> None:
    assert dropping(9, "", 8, 5, 20).total is None
    final = dropping(9, "", 8, 5, 20, missing=Missing.ZERO)
    assert final.total == Decimal("82.83") and final.arithmetic.endswith("dropped: hw2 with 0/10")


# Properties

GRADE = st.decimals(0, 100, places=2)
CELL = st.one_of(GRADE.map(str), st.just("EX"))
CELLS = st.tuples(*[CELL] * 4)


def share(earned: str, possible: int) -> Fraction:
    return Fraction(Decimal(earned)) / possible


@given(st.tuples(*[GRADE] * 4))
def test_the_grade_is_the_weighted_mean_rounded_once(cells: tuple[Decimal, ...]) -> None:
    (final,) = computed(row(*cells))
    hw, project = Fraction(cells[0] + cells[1]) / 100, Fraction(cells[2] + cells[3]) / 30
    exact = 60 * hw + 40 * project
    assert final.exact == exact
    rounded = (Decimal(exact.numerator) / exact.denominator).quantize(
        Decimal("0.01"), ROUND_HALF_UP
    )
    assert final.total == rounded and abs(Fraction(final.total) - exact) <= Fraction(1, 200)


@given(CELLS, st.integers(0, 3), GRADE)
def test_more_points_never_lower_a_grade(cells: tuple[str, ...], index: int, more: Decimal) -> None:
    (before,) = computed(row(*cells))
    better = list(cells)
    if better[index] != "EX":
        better[index] = str(Decimal(better[index]) + more)
    (after,) = computed(row(*better))
    if before.total is not None:
        assert after.total is not None and after.total >= before.total


@given(st.integers(0, 1000), st.integers(0, 15))
def test_who_has_the_same_share_everywhere_has_it_in_the_end(thousandth: int, excused: int) -> None:
    possible = (84, 16, 10, 20)
    cells = ["EX" if excused >> i & 1 else Decimal(points * thousandth) / 1000
             for i, points in enumerate(possible)]  # fmt: skip
    (final,) = computed(row(*cells))
    expected = None if excused == 15 else Fraction(thousandth, 10)
    assert final.exact == expected


@given(CELLS)
def test_being_excused_from_an_assignment_is_a_course_without_it(cells: tuple[str, ...]) -> None:
    (excused,) = computed(row("EX", "EX", *cells[2:]))
    alone = COURSE.replace("weight = 0.4", "weight = 1")
    start, end = (
        alone.index('[[assignment]]\nname = "hw"'),
        alone.index('[[assignment]]\nname = "p'),
    )
    (without,) = computed(row(*cells), plan=course(alone[:start] + alone[end:]))
    assert excused.exact == without.exact


TEN = st.one_of(st.decimals(0, 10, places=2).map(str), st.just("EX"))


@settings(deadline=None)
@given(st.tuples(TEN, TEN, TEN, TEN, TEN), st.integers(0, 3))
def test_dropping_never_lowers_a_grade(cells: tuple[str, ...], count: int) -> None:
    before, after = dropping(*cells, count=0).exact, dropping(*cells, count=count).exact
    assert (before is None) is (after is None)
    if before is not None and after is not None:
        assert before <= after


@given(st.lists(CELLS, min_size=2, max_size=4), st.randoms())
def test_nobodys_grade_depends_on_others_or_on_the_order(rows: Any, random: Any) -> None:
    lines = [row(*cells, user=100 + number) for number, cells in enumerate(rows)]
    alone = [computed(line)[0].exact for line in lines]
    order = list(range(len(lines)))
    random.shuffle(order)
    together = computed(*[lines[index] for index in order])
    assert [final.exact for final in together] == [alone[index] for index in order]


@given(st.fractions(0, 200, max_denominator=10**6), st.integers(0, 2))
def test_what_lies_in_the_middle_is_rounded_up(number: Fraction, decimals: int) -> None:
    rounded = Fraction(half_up(number, decimals))
    step = Fraction(1, 10**decimals)
    assert -step / 2 <= number - rounded < step / 2
    assert half_up(Fraction(5, 1000) + 1, 2) == Decimal("1.01")
    assert half_up(Fraction(5, 2), 0) == 3 and half_up(Fraction(49999, 10000), 0) == 5


# Files

ROWS = (
    row(80, 12, 5, 20),
    row(80, "", 5, 20, name='"=""=SUM(1)"""', user=102),
    row("EX", "EX", 10, 20, name="王", user=103),
)


def parts(gradebook: Gradebook) -> list[Component]:
    plan = course()
    return components(plan, entries(plan), gradebook)


def test_the_table_has_every_student_with_points_total_and_sum(tmp_path: Path) -> None:
    gradebook = book(*ROWS)
    found = finals(gradebook, parts(gradebook), FinalPolicy())
    write_table(found, parts(gradebook), tmp_path / "final.csv")
    lines = list(csv.DictReader(io.StringIO((tmp_path / "final.csv").read_text("utf-8"))))
    assert [(one["user"], one["final of 100"]) for one in lines] == [
        ("101", "88.53"), ("102", ""), ("103", "100"),
    ]  # fmt: skip
    assert (lines[0]["hw of 100"], lines[0]["project of 30"]) == ("92", "25")
    assert lines[2]["hw of 100"] == "EX" and lines[2]["remarks"].startswith("excused: CNNs")
    assert lines[1]["name"] == "'=SUM(1)" and lines[1]["remarks"].startswith("missing: ")
    assert lines[0]["arithmetic"] == found[0].arithmetic


def test_canvas_refuses_the_table() -> None:
    gradebook = book(*ROWS)
    data = table(finals(gradebook, parts(gradebook), FinalPolicy()), parts(gradebook))
    header = data.decode().partition(",")[0]
    assert "Student" not in header and "LastName" not in header
    with pytest.raises(ExportError, match="Invalid header row"):
        imported(data)


def test_a_column_that_is_named_gets_the_final_grades_and_nobody_else_any() -> None:
    gradebook = book(*ROWS)
    found = finals(gradebook, parts(gradebook), FinalPolicy())
    plan = for_canvas(found, gradebook, "Total")
    assert imported(export(gradebook, plan)).grades == {101: {"99": "88.53"}, 103: {"99": "100"}}
    assert [(one.student, one.reason) for one in plan.left_out] == [
        ("102", "missing: CNNs, written (12)")
    ]


def test_a_final_grade_is_not_written_where_it_does_not_belong() -> None:
    def planned(column: str, points: str = POINTS, *rows: str) -> Any:
        gradebook = book(*(rows or ROWS), points=points)
        return for_canvas(finals(gradebook, parts(gradebook), FinalPolicy()), gradebook, column)

    with pytest.raises(ExportError, match="part of the final grade itself"):
        planned("11")
    with pytest.raises(ExportError, match="worth 50 in Canvas; final grades are of 100"):
        planned("99", POINTS.replace(",100,", ",50,"))
    with pytest.raises(ExportError, match="has no assignment 'Grades'"):
        planned("Grades")
    excused = ROWS[0].removesuffix(",,") + ",EX,"
    assert planned("99", POINTS, excused).left_out[0].reason.startswith("is excused in Canvas")


def test_the_rules_are_said_in_words() -> None:
    said = str(FinalPolicy())
    assert said.startswith("A blank cell leaves the final grade open; EX is left out")
    other = str(replace(FinalPolicy(), missing=Missing.ZERO, unassigned=Unassigned.EXCUSED))
    assert "A blank cell counts as 0" in other and "N/A is treated like EX" in other
