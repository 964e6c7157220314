import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from autograder.errors import StoreError
from autograder.model import Outcome, Standing, Verdict
from autograder.salvage import opened
from autograder.store import Store

COUNT = 30


def outcome(number: int) -> Outcome:
    verdict = Verdict(
        student=str(number), name="Lovelace, Ada", assignment="hw", status=Standing.GRADED,
        score=number, possible=100, isolation="A", seconds=1, questions={}, key=f"key {number}",
    )  # fmt: skip
    log, weights = f"log {number} " * 200, random.Random(number).randbytes(6000)
    return Outcome(verdict=verdict, executed=b"nb", log=log, artefacts={"w": weights})


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "results.sqlite"
    with Store(path) as store:
        for number in range(COUNT):
            store.put(f"key {number}", outcome(number))
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "results.sqlite"))


def kept(path: Path, said: list[str]) -> set[int]:
    """The numbers of the outcomes that are left; each of them must be what was put."""
    with opened(path, said.append) as store:
        found = {number: store.get(f"key {number}") for number in range(COUNT)}
        store.check()
        store.put("later", outcome(99))
    left = {number: one for number, one in found.items() if one is not None}
    assert all(one == outcome(number) for number, one in left.items())
    return set(left)


def test_a_sound_file_is_opened_as_it_is(path: Path) -> None:
    said: list[str] = []
    assert kept(path, said) == set(range(COUNT)) and not said
    assert [file.name for file in path.parent.iterdir()] == ["results.sqlite"]


def test_whatever_page_is_damaged_nothing_false_is_kept_and_grading_can_go_on(
    whole: Path, tmp_path: Path
) -> None:
    pages = whole.stat().st_size // 4096
    losses = []
    for page in range(pages):
        path = tmp_path / f"{page}" / "results.sqlite"
        path.parent.mkdir()
        data = bytearray(whole.read_bytes())
        chance = random.Random(page)
        for _ in range(40):
            data[page * 4096 + chance.randrange(4096)] = chance.randrange(256)
        path.write_bytes(data)
        said: list[str] = []
        left = kept(path, said)
        losses.append(COUNT - len(left))
        if said:
            aside = path.with_name("results.sqlite.damaged-1")
            assert aside.name in said[0] and aside.read_bytes() == data and len(said) == 1
        else:
            assert len(left) == COUNT
    assert sorted(losses)[len(losses) // 2] <= 2  # most pages hold parts of one or two results


@pytest.mark.parametrize("share", [0.95, 0.7, 0.3, 0.01])
def test_of_a_file_that_was_cut_off_the_rest_is_kept(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    said: list[str] = []
    left = kept(path, said)
    assert len(said) == 1 and "damaged-1" in said[0] and len(left) < COUNT
    assert len(left) > COUNT // 3 or share < 0.7  # below that, the pages that lead to others go


@pytest.mark.parametrize("data", [b"Student,ID\n" * 500, b"\0" * 9000, b"SQLite format 3\0"])
def test_what_is_no_database_is_put_aside_and_not_lost(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "results.sqlite"
    for number in (1, 2):
        path.write_bytes(data)
        said: list[str] = []
        assert kept(path, said) == set()
        assert path.with_name(f"results.sqlite.damaged-{number}").read_bytes() == data
    assert kept(path, said) == set() and len(said) == 1


def test_a_hot_journal_of_a_killed_run_is_rolled_back(path: Path) -> None:
    copy = path.with_name("copy")
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA cache_size = 2")  # so that changed pages are written before COMMIT
    database.execute("PRAGMA cache_spill = 2")
    database.execute("BEGIN IMMEDIATE")
    database.execute("UPDATE artefacts SET data = randomblob(6000)")
    shutil.copy(path, copy)
    shutil.copy(f"{path}-journal", f"{copy}-journal")
    database.execute("ROLLBACK")
    database.close()
    assert copy.read_bytes() != path.read_bytes()
    said: list[str] = []
    assert kept(copy, said) == set(range(COUNT)) and not said


@pytest.mark.parametrize(
    "journal", [b"\0" * 5000, b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\1" * 9000]
)
def test_a_journal_of_nonsense_does_no_harm(path: Path, journal: bytes) -> None:
    path.with_name("results.sqlite-journal").write_bytes(journal)
    assert kept(path, []) == set(range(COUNT))


def test_the_order_in_which_results_came_to_count_is_kept(path: Path) -> None:
    with Store(path) as store:
        store.put("newer", outcome(3))
        assert store.reuse(outcome(3).verdict)
        store._database.execute("UPDATE artefacts SET data = x'00' WHERE result = 1")
    said: list[str] = []
    with opened(path, said.append) as store:
        assert said and store.get("key 0") is None
        order = store._database.execute("SELECT key FROM results ORDER BY id DESC LIMIT 2")
        assert order.fetchall() == [("key 3",), ("newer",)]


def test_a_run_that_ended_while_putting_aside_is_gone_on_with(path: Path) -> None:
    path.rename(path.with_name("results.sqlite.salvaged"))
    assert kept(path, []) == set(range(COUNT))
    path.with_name("results.sqlite.salvaged").write_bytes(b"half")
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * 0.8))
    said: list[str] = []
    assert kept(path, said) and said


def test_results_of_an_earlier_version_are_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    Store(path).close()
    database = sqlite3.connect(path)
    database.execute("ALTER TABLE results DROP COLUMN checksum")
    database.execute("PRAGMA user_version = 1")
    database.close()
    said: list[str] = []
    assert kept(path, said) == set()
    assert "earlier version" in said[0] and path.with_name("results.sqlite.old-1").exists()


def test_a_database_of_another_program_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE t (x)")
    database.close()
    data = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        opened(path, print)
    assert path.read_bytes() == data and len(list(tmp_path.iterdir())) == 1
