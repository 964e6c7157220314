from pathlib import Path

import pytest

from autograder.errors import AutograderError
from autograder.secret import TRY_OUT, course_secret


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AUTOGRADER_SECRET", raising=False)
    monkeypatch.delenv("AUTOGRADER_SECRET_FILE", raising=False)
    monkeypatch.chdir(tmp_path)


def test_without_a_secret_the_try_out_value_is_used_and_said_so() -> None:
    assert course_secret() == (TRY_OUT, "the published try-out value", True)


def test_the_projects_file_is_found_here_or_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "course_secret").write_text(" here\n")
    assert course_secret().value == "here" and not course_secret().try_out
    (tmp_path / "other").mkdir()
    assert course_secret(tmp_path / "other").try_out
    (tmp_path / "other" / "course_secret").write_text("there")
    assert course_secret(tmp_path / "other").value == "there"


def test_the_environment_comes_first_then_the_named_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "course_secret").write_text("projects")
    (tmp_path / "named").write_text("named\n")
    monkeypatch.setenv("AUTOGRADER_SECRET_FILE", str(tmp_path / "named"))
    assert course_secret().value == "named"
    monkeypatch.setenv("AUTOGRADER_SECRET", "set")
    assert course_secret() == ("set", "AUTOGRADER_SECRET", False)
    monkeypatch.setenv("AUTOGRADER_SECRET", "")
    assert course_secret().value == "named"


def test_a_named_file_that_is_missing_or_empty_is_an_error_and_not_the_try_out_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOGRADER_SECRET_FILE", str(tmp_path / "named"))
    with pytest.raises(AutograderError, match="cannot be read"):
        course_secret()
    (tmp_path / "named").write_text(" \n")
    with pytest.raises(AutograderError, match="is empty"):
        course_secret()


def test_an_empty_file_of_the_project_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "course_secret").touch()
    with pytest.raises(AutograderError, match="is empty"):
        course_secret()
