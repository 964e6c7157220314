from pathlib import Path

import pytest

from autograder.errors import ReleaseError
from autograder.release.clone import RECORD, Record, apply, foreign, read_record, update

FILES = {"README.md": b"one", "a/data/x.csv": b"1", "a/a.ipynb": b"{}"}


def written(folder: Path, files: dict[str, bytes], *, overwrite: bool = False) -> list[str]:
    before = read_record(folder, "C")
    change = update(folder, files, before, Record(course="C", assignments=["a"]))
    apply(change, overwrite=overwrite)
    return [*change.write, *(f"-{path}" for path in change.remove)]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name != RECORD
    }


def test_a_release_writes_what_differs_and_a_second_one_nothing(tmp_path: Path) -> None:
    assert written(tmp_path / "out", FILES) == sorted(FILES)
    record = (tmp_path / "out" / RECORD).read_bytes()
    assert written(tmp_path / "out", FILES) == []
    assert written(tmp_path / "out", FILES | {"README.md": b"two"}) == ["README.md"]
    assert (tmp_path / "out" / RECORD).read_bytes() != record
    assert (tmp_path / "out" / "README.md").stat().st_mode & 0o777 == 0o644


def test_notebooks_that_are_out_and_change_are_named(tmp_path: Path) -> None:
    written(tmp_path, FILES)
    files = FILES | {"a/a.ipynb": b"[]", "README.md": b"two", "b.ipynb": b"{}"}
    change = update(tmp_path, files, read_record(tmp_path, "C"), Record(course="C"))
    assert change.notebooks == ["a/a.ipynb"]


def test_what_others_put_there_stays_and_what_is_no_longer_released_goes(tmp_path: Path) -> None:
    written(tmp_path, FILES)
    (tmp_path / "notes.md").write_bytes(b"of the staff")
    (tmp_path / "a" / "mine.csv").write_bytes(b"of a student")
    assert written(tmp_path, {"README.md": b"one"}) == ["-a/a.ipynb", "-a/data/x.csv"]
    assert contents(tmp_path) == {
        "README.md": b"one", "notes.md": b"of the staff", "a/mine.csv": b"of a student",
    }  # fmt: skip
    assert not (tmp_path / "a" / "data").exists()


@pytest.mark.parametrize("what", ["edited", "removed", "written by others", "no longer released"])
def test_a_file_that_others_wrote_or_changed_is_overwritten_only_if_told(
    tmp_path: Path, what: str
) -> None:
    wanted = dict(FILES)
    if what == "written by others":
        (tmp_path / "README.md").write_bytes(b"theirs")
    else:
        written(tmp_path, FILES)
        (tmp_path / "README.md").write_bytes(b"theirs")
    if what == "removed":
        (tmp_path / "README.md").unlink()
    if what == "no longer released":
        del wanted["README.md"]
    wanted["new.md"] = b"new"
    before = contents(tmp_path)
    with pytest.raises(ReleaseError, match=r"Nothing was written: README.md in .* --overwrite"):
        written(tmp_path, wanted)
    assert contents(tmp_path) == before
    written(tmp_path, wanted, overwrite=True)
    assert contents(tmp_path) == wanted


def test_a_release_that_was_interrupted_is_simply_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autograder.release import clone

    write = clone.write_atomically

    def fails(path: Path, data: bytes, mode: int) -> None:
        if path.name == "x.csv":
            raise OSError(28, "No space left on device", str(path))
        write(path, data, mode)

    monkeypatch.setattr(clone, "write_atomically", fails)
    with pytest.raises(ReleaseError, match="No space left"):
        written(tmp_path, FILES)
    monkeypatch.undo()
    assert contents(tmp_path) and written(tmp_path, FILES) == ["a/data/x.csv"]


def test_nothing_is_written_through_a_link_or_over_a_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReleaseError, match="is a link"):
        written(tmp_path / "out", FILES, overwrite=True)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (tmp_path / "out" / "a").unlink()
    (tmp_path / "out" / "README.md").mkdir()
    with pytest.raises(ReleaseError, match="is a folder"):
        written(tmp_path / "out", FILES, overwrite=True)


def test_the_list_must_be_of_this_course_and_whole(tmp_path: Path) -> None:
    written(tmp_path, FILES)
    with pytest.raises(ReleaseError, match="a release of 'C', not of 'D'"):
        read_record(tmp_path, "D")
    (tmp_path / RECORD).write_bytes(b"{")
    with pytest.raises(ReleaseError, match="is damaged"):
        read_record(tmp_path, "C")


@pytest.mark.parametrize("path", ["../staff.txt", "/etc/hosts", ".git/config", "a/../../b", ""])
def test_a_list_that_somebody_wrote_cannot_reach_out_of_the_folder(
    tmp_path: Path, path: str
) -> None:
    record = Record(course="C", files={path: "0"})
    (tmp_path / RECORD).write_bytes(record.encoded())
    with pytest.raises(ReleaseError, match="is damaged"):
        written(tmp_path, FILES, overwrite=True)


def test_files_of_others_are_those_that_were_not_released(tmp_path: Path) -> None:
    written(tmp_path, FILES)
    (tmp_path / "notes.md").write_bytes(b"of the staff")
    assert foreign(tmp_path, read_record(tmp_path, "C")) == {"notes.md": b"of the staff"}
    assert foreign(tmp_path / "nowhere", Record(course="C")) == {}
