import pytest

from autograder.intake.names import Reading, expected, is_copy, slug, upload, whose
from autograder.model import Student

ROSTER = {
    one.id: one
    for one in [
        Student(id="12", name="O'Brien-Smith, Mary Ann"),
        Student(id="34", name="Müller, Jürgen"),
        Student(id="99", name="12, 34"),
        Student(id="101", name="शर्मा, प्रिया"),
        Student(id="102", name="王, 小明"),
        Student(id="103", name="van_der_Berg, J"),
    ]
}


@pytest.mark.parametrize(
    ("name", "user", "rest", "late"),
    [
        ("obriensmithmaryann_LATE_12_345_hw01-1.ipynb", "12", "hw01-1.ipynb", True),
        ("müllerjürgen_34_345_my hw (2).ipynb", "34", "my hw (2).ipynb", False),
        ("mu\u0308llerju\u0308rgen_34_345_hw.ipynb", "34", "hw.ipynb", False),
        ("शर्माप्रिया_101_345_hw.ipynb", "101", "hw.ipynb", False),
        ("王小明_LATE_102_345_a_b_c.ipynb", "102", "a_b_c.ipynb", True),
        ("van_der_bergj_103_345_hw.ipynb", "103", "hw.ipynb", False),
        ("1234_99_345_hw.ipynb", "99", "hw.ipynb", False),
        ("müllerjürgen_34_345_run_2_of_3.ipynb", "34", "run_2_of_3.ipynb", False),
    ],
)
def test_canvas_names_are_read(name: str, user: str, rest: str, late: bool) -> None:
    found = whose(name, ROSTER)
    assert isinstance(found, Reading)
    assert (found.user, found.rest, found.late, found.attachment) == (user, rest, late, 345)


@pytest.mark.parametrize("page", ["text", "link"])
def test_text_entries_and_links_are_recognised(page: str) -> None:
    found = whose(f"müllerjürgen_LATE_34_{page}.html", ROSTER)
    assert isinstance(found, Reading)
    assert (found.user, found.attachment, found.late) == ("34", 0, True)


def test_a_name_that_fits_two_students_is_refused_and_both_are_listed() -> None:
    assert "ids 34, 99" in str(whose("12_34_99_345_hw.ipynb", ROSTER))


def test_a_file_name_cannot_make_a_submission_somebody_elses() -> None:
    # 888 has left the course; what follows is the file name they chose.
    reason = whose("evil_888_777_x_101_999_hw.ipynb", ROSTER)
    assert isinstance(reason, str) and "101" in reason


def test_nobody_outside_the_roster_can_be_called_what_a_file_of_a_student_is() -> None:
    # 888 calls themselves "müllerjürgen_34_345678_hw", which is how a file of 34 begins.
    reason = str(whose("müllerjürgen_34_345678_hw_888_901234_x.ipynb", ROSTER))
    assert "fits 34 and somebody who is not in the gradebook (id 888)" in reason
    assert "id 34, but perhaps not" in str(whose("12_34_99888_345678_hw.ipynb", ROSTER))


@pytest.mark.parametrize("rest", ["hw_2027_11_10.ipynb", "2027_02_10.ipynb", "3_4_5_6.ipynb"])
def test_dates_and_counters_in_file_names_make_nobody_else(rest: str) -> None:
    found = whose(f"müllerjürgen_34_345678_{rest}", ROSTER)
    assert isinstance(found, Reading) and (found.user, found.rest) == ("34", rest)


def test_a_group_may_have_numbers_in_its_name_if_it_is_known() -> None:
    name = "team_7_12_345678_hw.ipynb"
    assert isinstance(whose(name, ROSTER), str)
    found = whose(name, ROSTER, {"12": {"team_7"}})
    assert isinstance(found, Reading) and found.user == "12"
    assert isinstance(whose(name, ROSTER, {"34": {"team_7"}}), str)


def test_digits_in_a_name_are_no_hindrance_if_the_name_agrees() -> None:
    roster = {"55": Student(id="55", name="r2_7_8_d2, x")}
    person = slug("r2_7_8_d2, x")
    found = whose(f"{person}_55_345_hw.ipynb", roster)
    assert isinstance(found, Reading) and found.user == "55"


@pytest.mark.parametrize("name", ["anon_x7Yz_345_hw.ipynb", "LATE_anon_x7Yz_345_hw.ipynb"])
def test_anonymous_submissions_are_refused_with_what_to_do(name: str) -> None:
    assert "anonymous" in str(whose(name, ROSTER))


def test_somebody_not_in_the_roster_is_nobody() -> None:
    assert (
        whose("haugeningrid_7_345_hw.ipynb", ROSTER) == "no student of the gradebook has the id 7"
    )


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("O'Brien-Smith, Mary Ann", "obriensmithmaryann"),
        ("Müller, Jürgen", "müllerjürgen"),
        ("van_der_Berg, J", "van_der_bergj"),
        ("王, 小明", "王小明"),
        ("शर्मा, प्रिया", "शर्माप्रिया"),
        ("a_12_b", "a12b"),
        ("Σίσυφος, Ⅷ", "σίσυφοσⅷ"),
    ],
)
def test_slugs_are_those_of_canvas(name: str, written: str) -> None:
    assert slug(name) == written


COPIES = ["m.bin", "m-1.bin", "m (1).bin", "m(12).bin", "m (1)-2.bin", "M.BIN",
          "m-0b8f4a52-3c1d-4e5f-8a9b-0c1d2e3f4a5b.bin"]  # fmt: skip


@pytest.mark.parametrize("name", COPIES)
def test_copies_that_canvas_and_browsers_make_are_recognised(name: str) -> None:
    assert is_copy(name, "m.bin") and expected(name, ["other.bin", "m.bin"]) == "m.bin"


@pytest.mark.parametrize(
    "name", ["m2.bin", "xm.bin", "m.bin.exe", "m-1.txt", "m-x.bin", "m-1234.bin"]
)
def test_other_files_are_not(name: str) -> None:
    assert not is_copy(name, "m.bin") and expected(name, ["m.bin"]) is None


def test_an_exact_name_goes_before_a_copy() -> None:
    assert expected("m-1.bin", ["m.bin", "m-1.bin"]) == "m-1.bin"


@pytest.mark.parametrize(
    ("name", "number"), [("hw.ipynb", 1), ("hw-1.ipynb", 2), ("hw-6.ipynb", 7), ("hw (1).ipynb", 1),
                         ("hw-0b8f4a52-3c1d-4e5f-8a9b-0c1d2e3f4a5b.ipynb", 9), ("x-3.ipynb", 1)]
)  # fmt: skip
def test_the_upload_is_counted_by_canvas_suffix(name: str, number: int) -> None:
    assert upload(name, "hw.ipynb") == number
