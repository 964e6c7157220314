import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.errors import IntakeError
from autograder.gradebook import number, parse, rewritten

HEADER = "Student,ID,SIS User ID,SIS Login ID,Section,Lab (11),Final Score"
POINTS = "    Points Possible,,,,,10,(read only)"
ADA = '"Lovelace, Ada",101,0123456,ada,S1,8.5,85'


def lines(*rows: str) -> bytes:
    return ("\n".join(rows) + "\n").encode()


def test_students_columns_and_points_are_read() -> None:
    book = parse(lines(HEADER, POINTS, ADA))
    (ada,) = book.students
    assert (ada.id, ada.name, ada.login, ada.sis_id, ada.section) == (
        "101", "Lovelace, Ada", "ada", "0123456", "S1",
    )  # fmt: skip
    (column,) = book.columns
    assert (column.title, column.id, column.points, column.index) == ("Lab", "11", "10", 5)


@pytest.mark.parametrize(
    ("row", "by_hand"),
    [(",,,,,Manual Posting,", True), (",,,,,Manual Posting (verborgen),", True),
     (",,,,,,Manual Posting", False), (",,,,,Muted,", False)],
)  # fmt: skip
def test_whether_an_assignment_is_posted_by_hand_is_read(row: str, by_hand: bool) -> None:
    (column,) = parse(lines(HEADER, row, POINTS, ADA)).columns
    assert column.by_hand is by_hand


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_byte_order_mark_and_line_ends_do_not_matter(mark: bytes, end: str) -> None:
    data = mark + lines(HEADER, POINTS, ADA).replace(b"\n", end.encode())
    assert [student.id for student in parse(data).students] == ["101"]


def test_semicolons_and_decimal_commas_are_read() -> None:
    book = parse(lines("Student;ID;SIS Login ID;Section;Lab (11)", "    Points Possible;;;;10,5",
                       "Merkel 1,0, Angela;102;am;S1;8,25"))  # fmt: skip
    assert book.students[0].name == "Merkel 1,0, Angela"
    assert number(book.columns[0].points) == 10.5
    assert number(book.rows[0].cells[4]) == 8.25


@pytest.mark.parametrize(
    "row",
    [
        ",,,,,Manual Posting,",
        " ,,,,,Muted,",
        ",,,,,Manual Posting (scores cachés aux instructeurs),",
    ],
)
def test_rows_about_posting_are_no_students_wherever_they_stand(row: str) -> None:
    for rows in ([HEADER, row, POINTS, ADA], [HEADER, ADA, POINTS, row]):
        book = parse(lines(*rows))
        assert [one.student.id for one in book.rows] == ["101"]
        assert book.columns[0].points == "10"


@pytest.mark.parametrize(
    "identity",
    [
        "Student,ID,Section",
        "Student,ID,SIS Login ID,Section",
        "Student,ID,SIS User ID,SIS Login ID,Section",
        "Student,ID,SIS User ID,SIS Login ID,Integration ID,Section",
        "Student,ID,SIS User ID,SIS Login ID,Integration ID,Root Account,Section",
        "LastName,FirstName,ID,SIS User ID,SIS Login ID,Section",
    ],
)
def test_every_identity_layout_is_read(identity: str) -> None:
    cells = {"Student": '"Blend, Bill"', "LastName": "Blend", "FirstName": "Bill", "ID": "7"}
    row = ",".join(cells.get(header, "x") for header in identity.split(","))
    (student,) = parse(lines(identity, row)).students
    assert (student.id, student.name) == ("7", "Blend, Bill")


def test_a_title_with_a_line_break_is_one_column() -> None:
    book = parse(lines(HEADER.replace("Lab (11)", '"Lab\none (11)"'), POINTS, ADA))
    assert book.columns[0].title == "Lab\none"


def test_a_guarded_name_is_unwrapped_for_people_and_kept_in_the_row() -> None:
    book = parse(lines(HEADER, POINTS, '"=""=HYPERLINK(1)""",9,,l,S,,'))
    assert book.students[0].name == "=HYPERLINK(1)"
    assert book.rows[0].cells[0] == '="=HYPERLINK(1)"'


def test_the_test_student_is_a_row_but_not_in_the_roster() -> None:
    book = parse(lines(HEADER, POINTS, ADA, '"Student, Test",999,,a1b2,S1,,'))
    assert [row.student.id for row in book.rows] == ["101", "999"]
    assert [student.id for student in book.students] == ["101"]


def test_totals_and_custom_columns_are_no_assignments() -> None:
    head = (
        "Student,ID,Section,Notes,Lab (11),Final Grade Project (12),Current Score (Autumn (2026))"
    )
    assert [column.id for column in parse(lines(head)).columns] == ["11"]


@pytest.mark.parametrize("id_", ["1.23E+14", "1~123", "12abc", "", "0", "-5", "١٢"])
def test_an_id_that_a_spreadsheet_damaged_is_refused(id_: str) -> None:
    with pytest.raises(IntakeError, match="Row 3"):
        parse(lines(HEADER, POINTS, ADA.replace("101", id_, 1))).students  # noqa: B018


def test_two_rows_of_one_id_are_refused() -> None:
    with pytest.raises(IntakeError, match="another row has too"):
        parse(lines(HEADER, POINTS, ADA, ADA)).students  # noqa: B018


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no gradebook"),
        (b"a,b,c\n1,2,3\n", "Student, ID"),
        (b"\xff\xfeS\x00t\x00", "UTF-8"),
        ("Müller;ID".encode("cp1252"), "UTF-8"),
        (lines(HEADER, ADA + ",1"), "Row 2"),
        (lines(HEADER, '"Lovelace, Ada,101'), "no gradebook"),
        (lines("Student,Name,Section", "a,b,c"), "Student, ID"),
    ],
)
def test_what_is_no_gradebook_is_refused_with_one_sentence(data: bytes, says: str) -> None:
    with pytest.raises(IntakeError, match=says):
        parse(data)


@pytest.mark.parametrize(
    ("cell", "after"),
    [
        ("123,4", "123.4"), ("1.234,5", "1234.5"), ("12.34,5", "1234.5"), ("-1.234,50", "-1234.50"),
        ("1.234.5", "1234.5"), ("1,234,5", "1234.5"), ("45,678.12", "45678.12"), ("8.", "8"),
        ("10.20.30", "1020.30"), ("1,5%", "1.5%"), (" 123,4", " 123,4"), ("1e1", "1e1"),
        ("+8", "+8"), ("0123456", "0123456"), (".", ""),
    ],
)  # fmt: skip
def test_cells_are_rewritten_as_canvas_does(cell: str, after: str) -> None:
    assert rewritten(cell) == after


@given(st.decimals(min_value=-99999, max_value=99999, places=2), st.booleans())
def test_numbers_are_read_with_either_decimal_mark(value: object, comma: bool) -> None:
    text = str(value).replace(".", ",") if comma else str(value)
    assert number(text) == float(str(value))


@given(st.text())
def test_number_never_raises(text: str) -> None:
    found = number(text)
    assert found is None or re.search("[0-9]", text)
