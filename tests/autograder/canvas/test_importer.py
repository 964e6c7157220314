import pytest

from autograder.canvas.importer import delimiter, imported, leading_integer
from autograder.errors import ExportError

HEADER = "Student,ID,SIS Login ID,Section,Lab (11)"


def file(*rows: str) -> bytes:
    return ("\n".join(rows) + "\n").encode()


def test_grades_and_points_are_read_by_assignment_and_student() -> None:
    found = imported(file(HEADER, "    Points Possible,,,,10", '"L, A",101,a,S,8.5', "B,102,b,S,9"))
    assert found.grades == {101: {"11": "8.5"}, 102: {"11": "9"}}
    assert found.points == {"11": "10"}


@pytest.mark.parametrize("row", [",,,Muted,", ",,,Manual Posting,"])
def test_rows_about_posting_are_passed_over(row: str) -> None:
    assert imported(file(HEADER, row, "A,101,a,S,8")).grades == {101: {"11": "8"}}


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["a,b,c", "1,2,3", "4,5,6"], ","),
        (["a;b;c", "1,5;2;3", "4;5;6"], ";"),
        (['a,b,"c;d"', '"x, y",2,3', "4,5,6"], ","),
        (["a,b,c", "1,2", "4,5,6"], ";"),
        (['a,b,"c', 'd",e', "1,2,3"], ","),
        ([], ","),
    ],
)
def test_the_delimiter_is_judged_by_the_first_three_lines(lines: list[str], found: str) -> None:
    assert delimiter(lines) == found


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'\xef\xbb\xbf"Student",ID,SIS Login ID,Section,Lab (11)\n', "byte order mark"),
        ("Student,ID,Section,é (1)\n".encode("latin-1"), "UTF-8"),
        (file(HEADER, "A,101,a,S,8").replace(b"Lab (11)\n", b"Lab (11)\r\n"), "line ends"),
        (file(HEADER, "    Points Possible,,,10", "A,101,a,S,8"), "Invalid header row"),
        (file("", HEADER), "Invalid header row"),
        (file("sep=,", HEADER), "Invalid header row"),
        (file(HEADER.replace(",", "\t")), "Invalid header row"),
        (file("Student,ID,SIS User ID,Section,Lab (11)"), "Invalid header row"),
        (file("Student,ID,Section,Lab"), "new assignment"),
        (file(HEADER + ",", "A,101,a,S,8,"), "new assignment"),
        (file("a"), "Invalid header row"),
        (b"", "Invalid header row"),
    ],
)
def test_what_canvas_would_refuse_or_mistake_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(ExportError, match=says):
        imported(data)


@pytest.mark.parametrize("title", ["Current Score (1)", "Final Grade Project (123)"])
def test_titles_that_look_like_totals_are_ignored(title: str) -> None:
    assert imported(file(f"Student,ID,Section,{title}", "A,101,S,8")).grades == {101: {}}


def test_the_first_of_two_equal_headers_is_read() -> None:
    found = imported(file("Student,ID,Section,Lab (1),Lab (1)", "A,101,S,8,9"))
    assert found.grades == {101: {"1": "8"}}


@pytest.mark.parametrize(
    ("cell", "id_"),
    [("101", 101), ("1.23E+14", 1), ("1~123", 1), ("12abc", 12), ("x", 0), (" 7", 7)],
)
def test_ids_are_read_as_ruby_reads_integers(cell: str, id_: int) -> None:
    assert leading_integer(cell) == id_
