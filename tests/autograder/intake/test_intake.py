import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from autograder.bundle import Manifest
from autograder.errors import IntakeError
from autograder.intake import Intake, intake
from autograder.model import Student, Submission
from autograder.teams import Team

ADA = Student(id="101", name="Lovelace, Ada", login="ada", sis_id="S-1")
BOB = Student(id="102", name="Müller, Jürgen", login="bob@uni.edu", sis_id="S-2")
EVE = Student(id="103", name="王, 小明", login="eve")
ROSTER = [ADA, BOB, EVE]
MANIFEST = Manifest(name="hw", title="HW", notebook="hw.ipynb", otter_zip="x.zip", questions=[],
                    expected_files=["cls.safetensors"])  # fmt: skip


def nb(text: str = "x") -> bytes:
    cell = {"cell_type": "code", "source": text, "metadata": {}, "outputs": []}
    return json.dumps(
        {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}
    ).encode()


def archive(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return out.getvalue()


def from_canvas(tmp_path: Path, entries: dict[str, bytes], name: str = "submissions.zip") -> Intake:
    (tmp_path / name).write_bytes(archive(entries))
    return intake([tmp_path / name], ROSTER, MANIFEST)


def from_folder(tmp_path: Path, entries: dict[str, bytes]) -> Intake:
    for name, data in entries.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return intake([tmp_path], ROSTER, MANIFEST)


def only(found: Intake) -> Submission:
    (one,) = found.submissions
    return one


def test_a_canvas_archive_gives_submissions_in_roster_order_and_who_is_missing(
    tmp_path: Path,
) -> None:
    found = from_canvas(tmp_path, {
        "müllerjürgen_LATE_102_501_hw.ipynb": nb("b"),
        "lovelaceada_101_502_hw-1.ipynb": nb("a"),
        "haugeningrid_999_503_hw.ipynb": nb(),
    })  # fmt: skip
    assert [(s.student.id, s.notebook, s.late, s.attempt) for s in found.submissions] == [
        ("101", nb("a"), False, 2), ("102", nb("b"), True, 1),
    ]  # fmt: skip
    assert found.missing == [EVE]
    (nobody,) = found.unmatched
    assert "haugeningrid" in nobody.source and "999" in nobody.reason


def test_files_beside_the_notebook_are_kept_under_their_expected_names(tmp_path: Path) -> None:
    found = from_canvas(tmp_path, {
        "lovelaceada_101_501_hw.ipynb": nb(),
        "lovelaceada_101_502_cls-1.safetensors": b"weights",
        "lovelaceada_101_503_evil.pth": b"code",
    })  # fmt: skip
    assert only(found).files == {"cls.safetensors": b"weights"}
    assert [one.source.rpartition("_")[2] for one in found.unused] == ["evil.pth"]


def test_the_newer_of_two_copies_is_taken(tmp_path: Path) -> None:
    found = from_canvas(tmp_path, {
        "lovelaceada_101_507_hw.ipynb": nb("new"),
        "lovelaceada_101_505_hw-2.ipynb": nb("old"),
        "lovelaceada_101_508_cls (1).safetensors": b"new",
        "lovelaceada_101_506_cls.safetensors": b"old",
    })  # fmt: skip
    assert only(found).notebook == nb("new")
    assert only(found).files == {"cls.safetensors": b"new"}


def test_the_notebook_of_the_assignments_name_goes_before_others(tmp_path: Path) -> None:
    found = from_canvas(tmp_path, {
        "lovelaceada_101_501_hw.ipynb": nb("right"), "lovelaceada_101_509_scratch.ipynb": nb("no"),
    })  # fmt: skip
    assert only(found).notebook == nb("right")


def test_a_readable_notebook_goes_before_a_broken_one(tmp_path: Path) -> None:
    found = from_canvas(tmp_path, {
        "lovelaceada_101_501_hw.ipynb": b"{", "lovelaceada_101_500_mine.ipynb": nb("ok"),
    })  # fmt: skip
    assert only(found).notebook == nb("ok") and not only(found).problem


def test_of_two_downloads_the_newer_counts_and_old_weights_stay_with_the_old_notebook(
    tmp_path: Path,
) -> None:
    (tmp_path / "new.zip").write_bytes(archive({"lovelaceada_101_900_hw-1.ipynb": nb("new")}))
    (tmp_path / "old.zip").write_bytes(archive({
        "lovelaceada_101_500_hw.ipynb": nb("old"), "lovelaceada_101_501_cls.safetensors": b"old",
    }))  # fmt: skip
    found = intake([tmp_path / "new.zip", tmp_path / "old.zip"], ROSTER, MANIFEST)
    assert only(found).notebook == nb("new") and only(found).files == {}


def test_an_otter_export_inside_a_canvas_archive_is_opened_but_not_its_log(tmp_path: Path) -> None:
    export = archive({"hw.ipynb": nb("mine"), ".OTTER_LOG": b"\x80pickle", "sub/notes.txt": b"",
                      "__zip_filename__": b"hw_2027.zip", "cls.safetensors": b"w"})  # fmt: skip
    found = from_canvas(tmp_path, {"lovelaceada_101_501_hw_2027.zip": export})
    assert only(found).notebook == nb("mine") and only(found).files == {"cls.safetensors": b"w"}
    assert not any("OTTER" in one.source for one in found.unused)


@pytest.mark.parametrize("name", ["101.zip", "ada.zip", "S-1.zip", "lovelaceada_101_501_hw.zip"])
def test_an_otter_export_alone_is_taken_if_its_name_says_whose_it_is(
    tmp_path: Path, name: str
) -> None:
    entries = {"hw.ipynb": nb("mine"), "__zip_filename__": b"x"}
    assert only(from_canvas(tmp_path, entries, name)).notebook == nb("mine")


def test_an_otter_export_of_nobody_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match="rename it"):
        from_canvas(tmp_path, {"hw.ipynb": nb(), "__zip_filename__": b"x"}, "hw_2027.zip")


@pytest.mark.parametrize(
    "name",
    ["102.ipynb", "bob@uni.edu.ipynb", "BOB@uni.edu.ipynb", "s-2.ipynb", "102/hw.ipynb",
     "S-2/deep/any name.ipynb", "müllerjürgen_102_501_hw.ipynb", "a folder/102.ipynb",
     "102.ipynb.txt", "102.ipynb.json"],
)  # fmt: skip
def test_a_folder_may_name_students_in_every_way(tmp_path: Path, name: str) -> None:
    one = only(from_folder(tmp_path, {name: nb()}))
    assert one.student == BOB and one.notebook == nb() and not one.problem


def test_weights_may_be_named_after_the_student_too(tmp_path: Path) -> None:
    found = from_folder(tmp_path, {"ada.ipynb": nb(), "ada.safetensors": b"w"})
    assert only(found).files == {"cls.safetensors": b"w"}


def test_a_canvas_archive_inside_a_folder_is_opened(tmp_path: Path) -> None:
    data = archive({"lovelaceada_101_501_hw.ipynb": nb(), "müllerjürgen_102_502_hw.ipynb": nb()})
    assert len(from_folder(tmp_path, {"submissions.zip": data}).submissions) == 2


def test_single_notebooks_are_taken(tmp_path: Path) -> None:
    (tmp_path / "ada.ipynb").write_bytes(nb())
    assert intake([tmp_path / "ada.ipynb"], ROSTER, MANIFEST).submissions[0].student == ADA


def test_a_handle_of_two_students_is_refused(tmp_path: Path) -> None:
    twins = [ADA, Student(id="S-1", name="x, y")]
    (tmp_path / "s-1.ipynb").write_bytes(nb())
    found = intake([tmp_path], twins, MANIFEST)
    assert found.submissions == [] and "several students" in found.unmatched[0].reason


def test_names_inside_the_notebook_mean_nothing(tmp_path: Path) -> None:
    found = from_folder(tmp_path, {"ada.ipynb": nb("name = 'Müller, Jürgen'; id = 102")})
    assert only(found).student == ADA


def test_links_and_pipes_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(nb("secret"))
    folder = tmp_path / "in"
    folder.mkdir()
    os.symlink(tmp_path / "secret", folder / "ada.ipynb")
    os.mkfifo(folder / "eve.ipynb")
    found = intake([folder], ROSTER, MANIFEST)
    assert [(s.notebook, "link" in s.problem) for s in found.submissions] == [(b"", True)] * 2


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"lovelaceada_101_501_hw.ipynb": b"%PDF-1.4"}, "PDF"),
        ({"lovelaceada_101_501_hw.ipynb": b"{"}, "not JSON"),
        ({"lovelaceada_101_501_report.pdf": b"%PDF"}, "only report.pdf; hand in hw.ipynb"),
        ({"lovelaceada_101_text.html": b"<p>"}, "a text or a link and no notebook"),
        ({"lovelaceada_101_link.html": b"<p>"}, "a text or a link and no notebook"),
        ({"lovelaceada_101_501_hw.zip": b"PK\x03\x04"}, "hw.zip cannot be read"),
        ({"lovelaceada_101_501_hw.zip": archive({"../hw.ipynb": nb()})}, "leads out"),
        ({"lovelaceada_101_501_hw.zip": archive({"a.zip": archive({"hw.ipynb": nb()})})}, "a.zip"),
        ({"lovelaceada_101_501_hw.zip": archive({"x": bytes(70 * 2**20)})}, "larger than 64 MB"),
    ],
)  # fmt: skip
def test_what_holds_no_notebook_is_a_submission_with_a_sentence(
    tmp_path: Path, entries: dict[str, bytes], says: str
) -> None:
    one = only(from_canvas(tmp_path, entries))
    assert says in one.problem and one.problem.endswith(".") and one.student == ADA


def test_one_bad_archive_spares_the_others(tmp_path: Path) -> None:
    found = from_canvas(tmp_path, {
        "lovelaceada_101_501_hw.zip": archive({"x": bytes(70 * 2**20)}),
        "müllerjürgen_102_502_hw.ipynb": nb(),
    })  # fmt: skip
    assert [bool(one.problem) for one in found.submissions] == [True, False]


def test_junk_of_file_systems_is_passed_over(tmp_path: Path) -> None:
    found = from_folder(tmp_path, {"ada.ipynb": nb(), ".DS_Store": b"", "__MACOSX/._ada.ipynb": b"",
                                   ".ipynb_checkpoints/eve.ipynb": nb()})  # fmt: skip
    assert len(found.submissions) == 1 and found.unmatched == []


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match="does not exist"):
        intake([tmp_path / "nothing.zip"], ROSTER, MANIFEST)


def test_a_course_archive_that_is_no_archive_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "submissions.zip").write_bytes(b"html")
    with pytest.raises(IntakeError, match=r"submissions\.zip"):
        intake([tmp_path / "submissions.zip"], ROSTER, MANIFEST)


BLUE = Team(name="Blue", members=[ADA, EVE])


def test_a_team_has_one_submission_whoever_handed_in(tmp_path: Path) -> None:
    (tmp_path / "s.zip").write_bytes(archive({"x_103_503_hw.ipynb": nb("e"),
                                              "x_102_504_hw.ipynb": nb("b")}))  # fmt: skip
    found = intake([tmp_path / "s.zip"], ROSTER, MANIFEST, [BLUE])
    blue, bob = found.submissions
    assert (blue.student, blue.team, blue.members) == (ADA, "Blue", [ADA, EVE])
    assert blue.notebook == nb("e") and (bob.student, bob.team, bob.members) == (BOB, "", [])
    assert found.missing == []


def test_the_latest_hand_in_of_a_team_counts_whole(tmp_path: Path) -> None:
    (tmp_path / "s.zip").write_bytes(archive({
        "x_101_510_hw.ipynb": nb("late"),
        "x_103_501_hw.ipynb": nb("early"),
        "x_103_502_cls.safetensors": b"early weights",
    }))  # fmt: skip
    found = intake([tmp_path / "s.zip"], ROSTER, MANIFEST, [BLUE])
    submission = only(found)
    assert submission.notebook == nb("late") and submission.files == {}
    assert {one.reason for one in found.unused} == {"a later hand-in of the same team was taken"}
    assert [student.id for student in found.missing] == ["102"]


def test_no_file_of_a_hand_in_decides_who_is_in_a_team(tmp_path: Path) -> None:
    team = json.dumps({"team": "Blue", "members": ["101", "102"]}).encode()
    inside = archive({"hw.ipynb": nb("b"), "team.json": team})
    (tmp_path / "s.zip").write_bytes(archive({"x_102_504_project.zip": inside}))
    found = intake([tmp_path / "s.zip"], ROSTER, MANIFEST, [BLUE])
    assert only(found).student == BOB and only(found).members == []
