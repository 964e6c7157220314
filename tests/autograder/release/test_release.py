"""From an empty folder to the second week, with a student who has begun to work."""

from __future__ import annotations

import subprocess
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from autograder.build import leaks
from autograder.build.assign import read_tree
from autograder.errors import CourseError, ReleaseError
from autograder.release import release

FIRST = datetime(2027, 1, 15, tzinfo=UTC)
HIDDEN = 'assert sensitivity([1, 1, 0, 0], [1, 0, 0, 1]) == 0.5, "missed positives must count"'


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def published(folder: Path) -> dict[str, bytes]:
    return {path: data for path, data in read_tree(folder).items() if not path.startswith(".git/")}


def test_a_student_pulls_the_second_week_into_a_clone_with_work_in_it(
    offered: Path, tmp_path: Path
) -> None:
    out, clone = tmp_path / "out", tmp_path / "clone"
    first = release(offered, out, [], FIRST)
    assert first.record.assignments == ["sound"]
    assert {path.partition("/")[0] for path in published(out)} == {
        ".gitignore", ".release.json", "LICENSE", "README.md", "requirements.txt", "sound",
    }  # fmt: skip
    git(tmp_path, "init", "-q", "-b", "main", "out")
    git(out, "add", "-A")
    git(out, "commit", "-qm", "First week")
    git(tmp_path, "clone", "-q", str(out), "clone")
    answer = clone / "sound" / "sound.ipynb"
    answer.write_text(answer.read_text().replace('"threshold = ..."', '"threshold = 0.5"'))
    (clone / "sound" / "triage.safetensors").write_bytes(b"weights")
    work = answer.read_bytes()
    assert b"threshold = 0.5" in work

    second = release(offered, out, [], date(2027, 2, 1))
    assert second.record.assignments == ["sound", "later"]
    assert not [path for path in second.write if path.startswith("sound/")]
    git(out, "add", "-A")
    git(out, "commit", "-qm", "Second week")
    git(clone, "pull", "-q")
    assert answer.read_bytes() == work and (clone / "later" / "later.ipynb").is_file()
    assert git(clone, "status", "--short") == " M sound/sound.ipynb\n"

    assert release(offered, out, [], FIRST).write == {}, "what is out stays out"
    release(offered, tmp_path / "again", [], date(2027, 2, 1))
    assert published(tmp_path / "again") == published(out)
    assert [leaks(out, name, offered) for name in ("sound", "later")] == [[], []]


def test_released_files_are_those_that_were_built_but_for_the_notebook(
    offered: Path, tmp_path: Path
) -> None:
    release(offered, tmp_path / "out", ["later"], FIRST)
    built, out = read_tree(offered / "assignments/later"), read_tree(tmp_path / "out/later")
    assert sorted(built) == sorted(out)
    assert [path for path in built if built[path] != out[path]] == ["later.ipynb"]


@pytest.mark.parametrize("where", ["a public file", "a file of others", "an assignment to come"])
def test_nothing_is_written_where_something_hidden_would_be_shown(
    project: Path, tmp_path: Path, where: str
) -> None:
    out = tmp_path / "out"
    if where == "a file of others":
        out.mkdir()
        (out / "notes.md").write_text(f"Look: `{HIDDEN}`\n")
    elif where == "a public file":
        (project / "LICENSE").write_text(f"Do what you like.\n{HIDDEN}\n")
    else:
        (project / "LICENSE").write_text("Names the delay until treatment begins\n")
        recipe = project / "solutions" / "later" / "assignment.toml"
        text = "Names the harm of a missed positive to the patient"
        recipe.write_text(
            recipe.read_text().replace(text, "Names the delay until treatment begins")
        )
    before = published(out)
    with pytest.raises(ReleaseError, match="Nothing was written"):
        release(project, out, [], FIRST, overwrite=True)
    assert published(out) == before


def test_what_is_not_what_a_build_makes_is_not_released(project: Path, tmp_path: Path) -> None:
    data = project / "assignments" / "sound" / "data" / "cases.csv"
    data.write_text(f"{data.read_text()}9,9\n")
    with pytest.raises(ReleaseError, match=r"data/cases\.csv is not what solutions/sound is built"):
        release(project, tmp_path / "out", [], FIRST)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_released_is_one_clear_error(offered: Path, tmp_path: Path) -> None:
    early = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ReleaseError, match="sound comes first, at Fri 01 Jan 2027, 00:00"):
        release(offered, tmp_path / "out", [], early)
    with pytest.raises(CourseError, match="no assignment 'gone'"):
        release(offered, tmp_path / "out", ["gone"], FIRST)
    for place in (offered, offered / "out", offered.parent):
        with pytest.raises(ReleaseError, match="in or around the course repository"):
            release(offered, place, [], FIRST)


@pytest.mark.slow
def test_the_projects_own_course_is_released_with_nothing_hidden(tmp_path: Path) -> None:
    """All that ever will be released; each file is checked against every assignment."""
    root = Path(__file__).parents[3]
    done = release(root, tmp_path / "out", [], date.max)
    assert done.record.assignments and (tmp_path / "out" / "README.md").is_file()
