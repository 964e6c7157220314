import json
from pathlib import Path
from typing import Any

import pytest

from autograder.bundle import Bundle, Checkpoint, Manifest, Question, TestEntry, lacking
from autograder.errors import BundleError


def test_a_bundle_is_opened_by_its_folder_or_its_manifest(course: Any) -> None:
    made = course.bundle()
    again = Bundle(made.folder / "manifest.json")
    assert again.digest == made.digest == Bundle(made.folder).digest
    assert again.manifest == made.manifest and again.manifest.possible == 6


def test_written_questions_are_not_autograded(course: Any, question: Any) -> None:
    manifest = course.bundle("q1", question("q2", written=True)).manifest
    assert [one.name for one in manifest.autograded] == ["q1"] and manifest.possible == 4


def test_credit_is_reduced_for_the_listed_tests_of_a_missing_file_only() -> None:
    entries = [TestEntry(name="test_fit", points=2, hidden=True),
               TestEntry(name="test_form", points=1, hidden=False)]  # fmt: skip
    manifest = Manifest(
        name="tiny", title="Tiny", notebook="tiny.ipynb", otter_zip="tiny.zip",
        questions=[Question(name=name, points=3, tests=entries) for name in ("q1", "q2")],
        expected_files=["a", "b"],
        checkpoints=[Checkpoint(file="a", question="q2", tests=["test_fit"], credit=0.8),
                     Checkpoint(file="b", question="q2", tests=["test_fit"], credit=0.5)],
    )  # fmt: skip
    assert [manifest.credit("q2", "test_fit", gone) for gone in ([], ["a"], ["a", "b"])] == [
        1,
        0.8,
        0.5,
    ]
    assert (
        manifest.credit("q2", "test_form", ["a"]) == manifest.credit("q1", "test_fit", ["a"]) == 1
    )
    assert manifest.possible_without_files() == {"q1": 3, "q2": 2}


def test_a_bundle_holds_the_tests_and_the_files_beside_them(course: Any, tmp_path: Path) -> None:
    course.bundle().unpack(tmp_path)
    assert (tmp_path / "tests" / "q1.py").is_file()
    assert (tmp_path / "files" / "reference_impl" / "course_secret.py").is_file()


def damage(folder: Path, **changes: Any) -> Path:
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return folder


def test_any_change_of_the_manifest_changes_the_digest(course: Any) -> None:
    made = course.bundle()
    assert Bundle(damage(made.folder, title="Other")).digest != made.digest


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"holds no manifest\.json; make the bundle"):
        Bundle(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "another version"),
        ({"questions": 3}, "is damaged"),
        ({"otter_zip": "missing.zip"}, "is missing"),
        ({"hashes": {}}, "was changed since the build"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    course: Any, changes: dict[str, Any], message: str
) -> None:
    folder = damage(course.bundle().folder, **changes)
    with pytest.raises(BundleError, match=message):
        Bundle(folder)


def test_a_manifest_that_is_cut_off_is_refused(course: Any) -> None:
    folder = course.bundle().folder
    (folder / "manifest.json").write_text('{"format": 1')
    with pytest.raises(BundleError, match="is damaged"):
        Bundle(folder)


def test_tests_that_were_changed_after_the_build_are_refused(course: Any) -> None:
    made = course.bundle()
    with made.otter_zip.open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match="was changed since the build"):
        Bundle(made.folder)


@pytest.mark.parametrize(
    ("question", "failed", "cause"),
    [
        ("q4", {"q1"}, "q1"),
        ("q3", {"q1"}, "q1"),
        ("q3", {"q1", "q2"}, "q2"),
        ("q3", {"q3", "q5"}, ""),
        ("q1", {"q1"}, ""),
        ("q5", {"q1", "q2", "q3"}, ""),
    ],
)
def test_a_question_lacks_what_it_builds_on_directly_or_by_way_of_others(
    question: str, failed: set[str], cause: str
) -> None:
    requires = {"q2": ["q1"], "q3": ["q2"], "q4": ["q5", "q3"]}
    assert lacking(question, requires, failed) == cause


def test_a_circle_ends() -> None:
    assert lacking("q1", {"q1": ["q2"], "q2": ["q1"]}, {"q3"}) == ""


def test_a_bundle_narrowed_to_a_question_is_another_bundle(course: Any) -> None:
    made = course.bundle("q1", "q2")
    narrowed = made.with_manifest(made.manifest.only(["q2"]))
    assert [one.name for one in narrowed.manifest.questions] == ["q2"]
    assert narrowed.digest != made.digest and made.manifest.possible == 6
    with pytest.raises(BundleError, match=r"has no question 'q9'; it has q1, q2"):
        made.manifest.only(["q9"])


def test_a_narrowed_manifest_depends_on_nothing_that_is_left_out() -> None:
    one, two = Question(name="q1", points=1), Question(name="q2", points=1, requires=["q1"])
    manifest = Manifest(
        name="tiny", title="Tiny", notebook="tiny.ipynb", otter_zip="tiny.zip",
        questions=[one, two],
        checkpoints=[Checkpoint(file="a", question="q1", tests=["t"], credit=0.5)],
    )  # fmt: skip
    assert manifest.only(["q2"]).requires == {} and manifest.only(["q2"]).checkpoints == []
    assert manifest.only(["q1", "q2"]) == manifest
