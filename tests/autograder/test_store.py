import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from autograder.errors import DamagedStoreError, StoreError
from autograder.model import Outcome, Standing, Verdict
from autograder.store import Store


def outcome(
    student: str = "101", score: float = 1.0, assignment: str = "hw", key: str = "",
    attempt: int = 1, submitted: datetime | None = None, **more: object,
) -> Outcome:  # fmt: skip
    verdict = Verdict(
        student=student, name="Lovelace, Ada", assignment=assignment, status=Standing.GRADED,
        score=score, possible=10, isolation="A", seconds=1, questions={}, key=key,
        attempt=attempt, submitted=submitted,
    )  # fmt: skip
    return Outcome(verdict=verdict, **more)  # type: ignore[arg-type]


def test_an_outcome_comes_back_whole_after_reopening(tmp_path: Path) -> None:
    put = outcome(executed=b"\x00nb", log="späß\n", artefacts={"w.safetensors": b"\x01", "b": b""})
    with Store(tmp_path / "deep" / "r.sqlite") as store:
        store.put("k", put)
    with Store(tmp_path / "deep" / "r.sqlite") as store:
        assert store.get("k") == put
        assert store.get("other") is None


def test_the_latest_of_each_student_counts(tmp_path: Path) -> None:
    with Store(tmp_path / "r") as store:
        for key, student, score in [
            ("a", "102", 1),
            ("b", "101", 2),
            ("c", "102", 3),
            ("d", "9", 4),
        ]:
            store.put(key, outcome(student, score))
        assert [(v.student, v.score) for v in store.latest()] == [("9", 4), ("101", 2), ("102", 3)]


def test_of_several_assignments_one_can_be_asked_for(tmp_path: Path) -> None:
    with Store(tmp_path / "r") as store:
        store.put("a", outcome(score=1, assignment="one"))
        store.put("b", outcome(score=2, assignment="two"))
        assert [v.score for v in store.latest("one")] == [1]
        assert store.latest("three") == []


def test_a_regrade_is_appended_and_nothing_is_lost(tmp_path: Path) -> None:
    with Store(tmp_path / "r") as store:
        store.put("k", outcome(score=1))
        store.put("k", outcome(score=2))
        found = store.get("k")
        assert found is not None and found.verdict.score == 2
    database = sqlite3.connect(tmp_path / "r")
    assert database.execute("SELECT count(*) FROM results").fetchone() == (2,)
    for statement in ("DELETE FROM results", "UPDATE results SET key = 'x'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.execute(statement)
    database.close()


def test_a_reused_result_counts_again(tmp_path: Path) -> None:
    with Store(tmp_path / "r") as store:
        old, new = (outcome(score=score, key=str(score)) for score in (1, 2))
        store.put("1", old)
        store.put("2", new)
        assert store.reuse(old.verdict)
        assert [v.score for v in store.latest()] == [1]
        assert not store.reuse(replace(old.verdict, attempt=2)), "it is of another hand-in"
        assert not store.reuse(replace(old.verdict, key="never"))
        assert [v.score for v in store.latest()] == [1]


def test_every_attempt_whose_time_is_known_has_a_latest_verdict(tmp_path: Path) -> None:
    def handed_in(key: str, number: int, score: float, student: str = "101") -> Outcome:
        when = datetime(2027, 2, number, tzinfo=UTC)
        return outcome(student, score, key=key, attempt=number, submitted=when)

    with Store(tmp_path / "r") as store:
        for one in (
            handed_in("a", 3, 1), handed_in("same", 1, 2), handed_in("same", 2, 3),
            handed_in("b", 3, 4), handed_in("same", 1, 5, "9"), outcome(key="zip", score=6),
        ):  # fmt: skip
            store.put(one.verdict.key, one)
        found = [(v.student, v.attempt, v.score) for v in store.latest("hw")]
        assert found == [("9", 1, 5), ("101", 1, 6), ("101", 1, 2), ("101", 2, 3), ("101", 3, 4)]


def test_a_verdict_that_was_kept_before_times_were_is_still_one() -> None:
    old = json.loads(msgspec.json.encode(outcome().verdict))
    del old["submitted"]
    assert msgspec.json.decode(json.dumps(old), type=Verdict) == outcome().verdict


def test_the_whole_of_a_verdict_is_that_of_its_key(tmp_path: Path) -> None:
    with Store(tmp_path / "r") as store:
        first = outcome(key="k", executed=b"notebook")
        store.put("k", first)
        again = replace(first.verdict, attempt=2)
        assert store.whole(again) == replace(first, verdict=again)
        with pytest.raises(StoreError, match="no result of the key never"):
            store.whole(replace(again, key="never"))


def test_a_failure_within_put_leaves_nothing_behind(tmp_path: Path) -> None:
    with Store(tmp_path / "r") as store:
        store._database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 5000)
        with pytest.raises(StoreError):
            store.put("k", outcome(artefacts={"x": bytes(10_000)}))
        assert store.get("k") is None and store.latest() == []
        store.put("k", outcome())


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from autograder.store import Store
from test_store import outcome
store = Store(Path({path!r}))
number = 0
while True:
    store.put(f"k{{number}}", outcome(str(number), number, artefacts={{"w": bytes(200_000)}}))
    print(number, flush=True)
    number += 1
"""


def test_kill_9_in_the_middle_of_writing_loses_nothing_that_was_confirmed(tmp_path: Path) -> None:
    path = tmp_path / "r"
    code = WRITER.format(tests=str(Path(__file__).parent), path=str(path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(5):
            confirmed = int(child.stdout.readline())
        time.sleep(0.02)
        os.kill(child.pid, signal.SIGKILL)
        confirmed = max([confirmed, *(int(line) for line in child.stdout if line.endswith("\n"))])
    with Store(path) as store:
        assert {v.student for v in store.latest()} >= {str(n) for n in range(confirmed + 1)}
        for verdict in store.latest():
            found = store.get(f"k{verdict.student}")
            assert found is not None and len(found.artefacts["w"]) == 200_000
        store.put("after", outcome())


def test_two_processes_may_open_one_store(tmp_path: Path) -> None:
    with Store(tmp_path / "r") as one, Store(tmp_path / "r") as two:
        one.put("a", outcome("1"))
        two.put("b", outcome("2"))
        assert len(one.latest()) == len(two.latest()) == 2


def test_a_file_that_is_no_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b"Student,ID\n" * 500)
    with pytest.raises(StoreError, match="damaged"):
        Store(tmp_path / "r")
    assert (tmp_path / "r").read_bytes() == b"Student,ID\n" * 500


def test_a_damaged_file_is_a_clear_error(tmp_path: Path) -> None:
    with Store(tmp_path / "r") as store:
        for number in range(20):
            store.put(str(number), outcome(str(number), log="x" * 3000))
    data = bytearray((tmp_path / "r").read_bytes())
    data[4096:] = bytes(byte ^ 0x5A for byte in data[4096:])
    (tmp_path / "r").write_bytes(data)
    with (
        pytest.raises(StoreError, match=r"damaged .* grade` again"),
        Store(tmp_path / "r") as store,
    ):
        store.latest()


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "r")
    database.execute("CREATE TABLE t (x)")
    database.close()
    with pytest.raises(StoreError, match="another program"):
        Store(tmp_path / "r")


def test_another_version_is_refused(tmp_path: Path) -> None:
    Store(tmp_path / "r").close()
    database = sqlite3.connect(tmp_path / "r")
    database.execute("ALTER TABLE results ADD COLUMN mood")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreError, match="another version"):
        Store(tmp_path / "r")


@pytest.mark.parametrize("pragma", ["user_version", "application_id"])
def test_our_tables_under_a_changed_mark_are_damage(tmp_path: Path, pragma: str) -> None:
    Store(tmp_path / "r").close()
    database = sqlite3.connect(tmp_path / "r")
    database.execute(f"PRAGMA {pragma} = 99")
    database.close()
    with pytest.raises(DamagedStoreError):
        Store(tmp_path / "r")


CHANGES = {
    "verdict": b'{"student":"101"}', "key": "other", "student": "102", "assignment": "other",
    "executed": b"better", "log": "better", "contents": b"x" * 32, "checksum": b"x" * 32,
}  # fmt: skip


@pytest.mark.parametrize("column", CHANGES)
def test_a_changed_result_is_never_taken_for_one(tmp_path: Path, column: str) -> None:
    with Store(tmp_path / "r") as store:
        store.put("k", outcome(executed=b"notebook", log="log", artefacts={"w": b"1"}))
    database = sqlite3.connect(tmp_path / "r")
    database.execute("DROP TRIGGER results_stay")
    database.execute(f"UPDATE results SET {column} = ?", (CHANGES[column],))
    database.commit()
    database.close()
    with Store(tmp_path / "r") as store:
        for asked in (lambda: store.get("k"), lambda: store.read(1), store.check):
            if column != "key" or asked.__name__ != "<lambda>":
                with pytest.raises(DamagedStoreError):
                    asked()
        if column not in ("executed", "log"):
            with pytest.raises(DamagedStoreError):
                store.latest()


@pytest.mark.parametrize("statement", [
    "UPDATE artefacts SET data = x'32'", "UPDATE artefacts SET name = 'v'", "DELETE FROM artefacts",
])  # fmt: skip
def test_changed_artefacts_are_never_taken_for_some(tmp_path: Path, statement: str) -> None:
    with Store(tmp_path / "r") as store:
        store.put("k", outcome(artefacts={"w": b"1"}))
        store._database.execute(statement)
        with pytest.raises(DamagedStoreError):
            store.get("k")


def test_a_full_disk_says_so_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with Store(tmp_path / "r") as store:
        store.put("a", outcome())
        (pages,) = store._database.execute("PRAGMA page_count").fetchone()
        store._database.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreError, match="is full; free space and run the same command again"):
            store.put("b", outcome(artefacts={"w": bytes(100_000)}))
        assert store.get("b") is None
        store.check()
        store._database.execute("PRAGMA max_page_count = 100000")
        store.put("b", outcome(artefacts={"w": bytes(100_000)}))


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be written"):
        Store(tmp_path / "file" / "r")
