"""The fake's reading of an uploaded gradebook holds every fact known of Canvas' own.

Facts T1 to T44 are assertions of Canvas' specification of its importer, R1 to R14 were measured
with the CSV parser it uses. Each test names the facts it holds.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakecanvas import Canvas
from fakecanvas.importer import Preview, UploadFailed
from fakecanvas.model import Course, CustomColumn, GradingPeriod, Override
from fakecanvas.table import rewritten

HEADER = "Student,ID,SIS User ID,SIS Login ID,Section"


@pytest.fixture
def upload(canvas: Canvas, course: Course):
    """Upload rows below the usual header with these assignments."""

    def read(columns: str, *rows: str, header: str = HEADER) -> Preview:
        lines = [f"{header},{columns}" if columns else header, *rows]
        return canvas.import_csv(course, ("\n".join(lines) + "\n").encode())

    return read


def row(id_: object, *cells: str, name: str = "") -> str:
    return ",".join([name, str(id_), "", "", "", *cells])


def grade(canvas: Canvas, course: Course, user: int, value: object, assignment: int = 11) -> None:
    found = course.assignment(assignment)
    assert found is not None
    canvas.grade_by_hand(course, found, canvas.users[user], value)


def seen(preview: Preview, user: int = 101, assignment: int = 11) -> str:
    return preview.grades[assignment, user].grade


# Structure


def test_t1_points_possible_may_stand_below_a_student(upload) -> None:
    found = upload("CNNs (11)", row(101, "8"), "Points Possible,,,,,20")
    assert [one.points_possible for one in found.assignments] == [20]


@pytest.mark.parametrize(
    "mark", ["Muted", "Manual Posting", "Manual Posting (scores cachés aux instructeurs)"]
)
def test_t2_to_t4_rows_about_posting_are_no_students(upload, mark: str) -> None:
    found = upload("CNNs (11)", f" ,,,,,{mark}", row(101, "8"))
    assert [one.id for one in found.students] == [101]


def test_t5_a_header_of_blanks_is_invalid(canvas: Canvas, course: Course) -> None:
    with pytest.raises(UploadFailed, match=r"^Invalid header row$"):
        canvas.import_csv(course, b" , , , , \n")


@pytest.mark.parametrize(
    "data",
    [
        b'\xef\xbb\xbf"Student",ID,SIS Login ID,Section,CNNs (11)\n',
        b"Student,ID,SIS Login ID,Section,CNNs (11)\r\nA,101,a,S,8\n",
        "Student,ID,SIS Login ID,Section,CNNs (11)\nÉ,101,a,S,8\n".encode("latin-1"),
        b'Student,ID,SIS Login ID,Section,CNNs (11)\nAnn "AJ" Smith,101,a,S,8\n',
    ],
    ids=["R1 mark before a quote", "R2 mixed line ends", "R3 Latin-1", "T6 stray quotes"],
)
def test_t6_r1_to_r3_what_the_parser_stumbles_over(
    canvas: Canvas, course: Course, data: bytes
) -> None:
    with pytest.raises(UploadFailed, match="MalformedCSVError"):
        canvas.import_csv(course, data)


def test_t7_family_and_given_names_need_the_courses_setting(upload, course: Course) -> None:
    header = "LastName,FirstName,ID,SIS User ID,SIS Login ID,Section"
    rows = ["Blend,Bill,1,,,S,8", ",Todd,2,,,S,8", "Cooper,,3,,,S,8"]
    with pytest.raises(UploadFailed, match="Invalid header row"):
        upload("CNNs (11)", *rows, header=header)
    course.last_first_names = True
    found = upload("CNNs (11)", *rows, header=header)
    assert [one.name for one in found.students] == ["Bill Blend", "Todd", "Cooper"]


@pytest.mark.parametrize("separator", [",", ";"])
def test_t8_t9_commas_and_semicolons(canvas: Canvas, course: Course, separator: str) -> None:
    lines = [HEADER + ",CNNs (11)", row(101, "8"), row(102, "9")]
    data = "\n".join(lines).replace(",", separator).encode()
    assert canvas.import_csv(course, data).diff == {(11, 101): ("", "8"), (11, 102): ("", "9")}


def test_t10_commas_in_quoted_names_of_a_semicolon_file(canvas: Canvas, course: Course) -> None:
    data = "Student;ID;Section;CNNs (11)\n" + '"Merkel 1,0, Angela";999;S;8\n"B, C";998;S;7\n'
    names = [one.name for one in canvas.import_csv(course, data.encode()).students]
    assert names == ["Merkel 1,0, Angela", "B, C"]


@pytest.mark.parametrize(
    "data",
    [
        HEADER.replace(",", "\t") + "\tCNNs (11)\n",
        "sep=,\n" + HEADER + ",CNNs (11)\n",
        HEADER + ",CNNs (11)\nPoints Possible,,,,\n" + row(101, "8") + "\n",
        "\n" + HEADER + ",CNNs (11)\n",
        "Student,ID,SIS User ID,Section,CNNs (11)\n",
        "",
    ],
    ids=["R5 TAB", "R6 sep=", "R7 ragged", "R14 blank first line", "layout", "empty"],
)
def test_r5_to_r7_r14_invalid_headers(canvas: Canvas, course: Course, data: str) -> None:
    with pytest.raises(UploadFailed, match="Invalid header row"):
        canvas.import_csv(course, data.encode())


def test_r4_utf_16_is_no_gradebook(canvas: Canvas, course: Course) -> None:
    with pytest.raises(UploadFailed):
        canvas.import_csv(course, (HEADER + ",CNNs (11)\n").encode("utf-16"))


def test_r7_rows_may_be_ragged_after_the_third_line(upload) -> None:
    found = upload("CNNs (11)", row(101, "8"), row(102, "7"), row(103, "6", "extra"))
    assert seen(found, 103) == "6"


def test_r8_a_comma_behind_the_header_makes_an_assignment(upload) -> None:
    found = upload("CNNs (11),", row(101, "8", ""))
    assert [one.id for one in found.missing_assignments] == [-1]


# Numbers


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("123,4", "123.4"), ("1.234,5", "1234.5"), ("12.34,5", "1234.5"),
        ("-1.234,50", "-1234.50"), ("1.234.5", "1234.5"), ("1,234,5", "1234.5"),
        ("1.234,5%", "1234.5%"), ("123.43", "123.43"), ("45,678.12", "45678.12"),
        ("123,32", "123.32"), ("45.678,23", "45678.23"), ("12,345", "12.345"), ("8.", "8"),
        (".", None), ("1.2.3", "12.3"), ("1e1", "1e1"), ("+8", "+8"), (" 123,4", " 123,4"),
        ("8", "8"), ("", ""), (None, None),
    ],
)  # fmt: skip
def test_t11_t12_r9_to_r12_numbers_are_rewritten(cell: str | None, number: str | None) -> None:
    assert rewritten(cell) == number


def test_t13_points_possible_too(upload) -> None:
    found = upload("CNNs (11)", 'Points Possible,,,,,"10000,54"', row(101, "8"))
    assert found.assignments[0].points_possible == 10000.54


@pytest.mark.parametrize("cell", [" 123,4", "1234,5 "])
def test_t14_cells_with_spaces_are_stripped_and_stay_text(upload, cell: str) -> None:
    assert seen(upload("CNNs (11)", row(101, f'"{cell}"'))) == cell.strip()


def test_r13_a_title_that_looks_like_a_number_is_rewritten_too(
    upload, canvas: Canvas, course: Course
) -> None:
    canvas.add_assignment(course, 13, "1.5.2")
    found = upload("1.5.2,1.5.2 (13)", row(101, "8", "8"))
    assert [one.id for one in found.assignments] == [-1, 13]


# Students


@pytest.mark.parametrize(
    "line",
    ["Ada Lovelace,,,,S,8", '"Lovelace, Ada",,,,S,8', ",,0101,,S,8", ",,,login101,S,8",
     "Somebody Else,101,0102,login103,S,8"],
)  # fmt: skip
def test_t15_who_a_row_is_about(upload, line: str) -> None:
    assert [one.id for one in upload("CNNs (11)", line).students] == [101]


@pytest.mark.parametrize("cells", [",,0999,,S,8", ",,,login102,S,8"])
def test_t15_unknown_sis_ids_and_inactive_logins_are_nobody(
    upload, canvas: Canvas, cells: str
) -> None:
    canvas.users[102].login_active = False
    assert upload("CNNs (11)", cells).students[0].id < 0


def test_t16_leading_zeros_stay(upload, canvas: Canvas) -> None:
    canvas.users[101].sis_user_id, canvas.users[102].login_id = "0123456", "0231163"
    found = upload("CNNs (11)", ",,0123456,,S,8", ",,,0231163,S,8")
    assert [one.id for one in found.students] == [101, 102]


def test_t17_t18_accounts_choose_and_integration_ids_do_not(upload, canvas: Canvas) -> None:
    canvas.users[101].root_account = "other.example.edu"
    header = "Student,ID,SIS User ID,SIS Login ID,Integration ID,Root Account,Section"
    mine = upload("CNNs (11)", ",,0101,,zzz,other.example.edu,S,8", header=header)
    assert mine.students[0].id == 101
    theirs = upload("CNNs (11)", ",,0101,,zzz,canvas.example.edu,S,8", header=header)
    assert theirs.students[0].id < 0


def test_t19_unknown_students_are_listed(upload) -> None:
    found = upload("CNNs (11)", row(999, "8", name="Nobody"))
    assert [(one.id, one.name) for one in found.missing_students] == [(-1, "Nobody")]
    assert found.diff == {}


@pytest.mark.parametrize(("state", "ids"), [("completed", []), ("inactive", [101])])
def test_t20_t21_concluded_students_are_dropped_inactive_ones_kept(
    upload, course: Course, state: str, ids: list[int]
) -> None:
    course.enrolled(101)[0].state = state
    assert [one.id for one in upload("CNNs (11)", row(101, "8")).students] == ids


@pytest.mark.parametrize(("cell", "id_"), [("1.23E+14", 1), ("1~123", 1), ("12abc", 12)])
def test_ids_are_read_as_ruby_reads_integers(
    upload, canvas: Canvas, course: Course, cell: str, id_: int
) -> None:
    canvas.enroll(course, canvas.add_user(id_, "Wrong, Person"))
    assert upload("CNNs (11)", row(cell, "8")).students[0].id == id_


# Assignments


def test_t22_t23_titles_are_matched_and_others_are_new(upload) -> None:
    found = upload("CNNs,Quiz", row(101, "8", "9"))
    assert [(one.id, one.title) for one in found.assignments] == [(11, "CNNs"), (-1, "Quiz")]
    assert upload("CNNs", row(101, "8")).missing_assignments == []


def test_t24_t25_unchanged_columns_are_left_out_but_for_other_points(
    upload, canvas: Canvas, course: Course
) -> None:
    grade(canvas, course, 101, 8)
    grade(canvas, course, 101, 8, 12)
    found = upload("CNNs (11),GNNs (12)", "Points Possible,,,,,10,20", row(101, "8", "8"))
    assert [one.id for one in found.assignments] == [12] and found.diff == {(12, 101): ("8.0", "8")}


def test_t26_read_only_columns_are_ignored(upload) -> None:
    found = upload("CNNs (11),GNNs (12)", "Points Possible,,,,,(read only),10", row(101, "1", "2"))
    assert [one.id for one in found.assignments] == [12]


@pytest.mark.parametrize("title", ["Current Score", "Unposted Final Score", "Final Points"])
def test_t27_totals_are_ignored_wherever_they_stand(upload, title: str) -> None:
    found = upload(f"{title},CNNs (11),{title} 2", row(101, "1", "8", "2"))
    assert [one.id for one in found.assignments] == [11]


def test_t28_an_assignment_with_such_a_title_is_not_imported(
    upload, canvas: Canvas, course: Course
) -> None:
    canvas.add_assignment(course, 14, "Final Grade Project")
    assert upload("Final Grade Project (14)", row(101, "8")).assignments == []


def test_t29_to_t31_order_custom_columns_and_layouts(
    upload, canvas: Canvas, course: Course
) -> None:
    course.custom_columns.append(CustomColumn(5, "Notes"))
    found = upload("Notes,GNNs (12),CNNs (11)", row(101, "hi", "7", "8"))
    assert [one.id for one in found.assignments] == [12, 11] and seen(found) == "8"
    found = upload("Notes,CNNs (11)", ",101,x,S,hi,8", header="Student,ID,SIS Login ID,Section")
    assert seen(found) == "8"


def test_the_first_of_two_equal_headers_is_read_twice(upload) -> None:
    assert seen(upload("CNNs (11),CNNs (11)", row(101, "8", "9"))) == "8"


# Grades


@pytest.mark.parametrize(
    ("before", "cell", "after"),
    [(8, "8", None), (10.987, "10.99", None), (8, "10", ("8.0", "10"))],
    ids=["T32", "T33", "T34"],
)
def test_t32_to_t34_what_counts_as_a_change(
    upload, canvas: Canvas, course: Course, before: float, cell: str, after: tuple[str, str] | None
) -> None:
    grade(canvas, course, 101, before)
    found = upload("CNNs (11)", row(101, cell))
    assert found.diff == ({(11, 101): after} if after else {})


def test_t35_a_dash_where_no_grade_is_means_nothing(upload) -> None:
    assert upload("CNNs (11)", row(101, "-")).diff == {}


def test_an_empty_cell_clears_a_grade_and_so_does_a_word(
    upload, canvas: Canvas, course: Course
) -> None:
    for cell in ("", "-", "N/A"):
        grade(canvas, course, 101, 8)
        upload("CNNs (11)", row(101, cell)).save()
        assert course.submissions[11, 101].score is None


@pytest.mark.parametrize("kind", ["points", "pass_fail"])
def test_t36_excuses_in_any_case(upload, course: Course, kind: str) -> None:
    course.assignments[0].grading_type = kind
    found = upload("CNNs (11)", row(101, "eX"))
    assert seen(found) == "EX"
    found.save()
    assert course.submissions[11, 101].excused


@pytest.mark.parametrize(("cell", "means"), [("3", "complete"), ("0", "incomplete"), ("", "")])
def test_t37_numbers_of_pass_or_fail(upload, course: Course, cell: str, means: str) -> None:
    course.assignments[0].grading_type = "pass_fail"
    assert upload("CNNs (11),GNNs (12)", row(101, cell, "1"), row(102, "1", "1")).grades[
        11, 101
    ].grade == means  # fmt: skip


def test_t38_who_is_not_assigned_gets_nothing(upload, course: Course) -> None:
    course.assignments[0].only_visible_to_overrides = True
    course.assignments[0].overrides.append(Override(1, None, student_ids=[102]))
    found = upload("CNNs (11)", row(101, "8"), row(102, "9"))
    assert found.diff == {(11, 102): ("", "9")}


def test_t39_t40_closed_grading_periods(upload, canvas: Canvas, course: Course) -> None:
    now = canvas.now
    course.grading_periods.append(
        GradingPeriod(1, "Spring", now - timedelta(60), now - timedelta(1), now - timedelta(1))
    )
    open_ = GradingPeriod(2, "Summer", now - timedelta(1), now + timedelta(60), now + timedelta(60))
    course.grading_periods.append(open_)
    course.assignments[0].overrides.append(Override(1, now + timedelta(9), student_ids=[102]))
    found = upload("CNNs (11)", row(101, "8"), row(102, "8"))
    assert found.diff == {(11, 102): ("", "8")}
    assert upload("Quiz", row(101, "8")).diff == {(-1, 101): ("", "8")}
    open_.close_date = now - timedelta(1)
    assert upload("Quiz", row(101, "8")).diff == {}


def test_t41_anonymous_grades_only_once_they_are_posted(
    upload, canvas: Canvas, course: Course
) -> None:
    course.assignments[0].anonymous_grading = course.assignments[0].post_manually = True
    grade(canvas, course, 101, 5)
    grade(canvas, course, 102, 5)
    course.submissions[11, 102].posted_at = canvas.now
    found = upload("CNNs (11)", row(101, "8"), row(102, "8"))
    assert found.diff == {(11, 102): ("5.0", "8")}


@pytest.mark.parametrize(("grader", "changes"), [(7, 0), (8, 1)])
def test_t42_moderated_assignments_have_one_final_grader(
    upload, course: Course, grader: int, changes: int
) -> None:
    course.assignments[0].moderated_grading = True
    course.assignments[0].final_grader_id = 7 if changes else 8
    assert len(upload("CNNs (11)", row(101, "8")).diff) == changes


# Custom columns and overrides


def test_t43_custom_columns(upload, canvas: Canvas, course: Course) -> None:
    course.custom_columns += [
        CustomColumn(1, "Notes", data={101: "old"}), CustomColumn(2, "Fixed", read_only=True),
        CustomColumn(3, "Hidden", hidden=True), CustomColumn(4, "Empty"),
    ]  # fmt: skip
    found = upload("Fixed,Empty,Hidden,Notes,CNNs (11)", row(101, "a", " ", "c", "new", "8"))
    assert found.custom == {(1, 101): "new"} and seen(found) == "8"
    found.save()
    assert course.custom_columns[0].data[101] == "new"
    upload("Fixed,Empty,Hidden,Notes,CNNs (11)", row(101, "a", "", "c", "", "9")).save()
    assert course.custom_columns[0].data[101] == ""


def test_t44_final_grades_set_by_hand(upload, canvas: Canvas, course: Course) -> None:
    now = canvas.now
    period = GradingPeriod(5, "Spring", now, now + timedelta(9), now + timedelta(9))
    course.grading_periods.append(period)
    columns = "Override Score,Override Score (Spring),Override Score (Nowhere),Override Grade"
    line = row(101, "90.001", "80", "70", "A")
    assert upload(columns, line).overrides == {}
    course.allows_override = True
    course.overrides[101, None] = {"score": 90.0}
    found = upload(columns, line)
    assert found.overrides == {(101, 5, "score"): "80"} and found.assignments == []
    found.save()
    assert course.overrides[101, 5] == {"score": 80.0}
    upload("Override Score (Spring)", row(101, "")).save()
    assert course.overrides[101, 5] == {"score": None}


# What saving does


def test_saving_sends_what_differs_as_text_and_the_last_row_of_a_student_counts(
    upload, canvas: Canvas, course: Course
) -> None:
    grade(canvas, course, 101, 8)
    writes = course.submissions[11, 101].writes
    upload("CNNs (11)", row(101, "8"), row(102, "5"), row(102, "6")).save()
    assert course.submissions[11, 102].score == 6
    assert course.submissions[11, 101].writes == writes  # sent, and not written


def test_a_column_of_another_course_is_made_anew(upload, course: Course) -> None:
    found = upload("Old title (999)", row(101, "8"))
    assert [one.title for one in found.missing_assignments] == ["Old title (999)"]
    found.save()
    assert [one.name for one in course.assignments][-1] == "Old title (999)"
