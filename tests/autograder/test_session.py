import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from autograder.engine import Settings
from autograder.errors import StoreError
from autograder.intake import Intake
from autograder.ledger import LedgerError
from autograder.model import Standing, Student, Verdict
from autograder.progress import Progress
from autograder.session import Session, load

NAMES = ["perfect", "blank", "has_syntax_error", "never_checked"]


@pytest.fixture(autouse=True)
def one_engine(rooms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions borrow the warm processes of the run's only engine."""
    monkeypatch.setattr("autograder.session.Engine", rooms.engines)


@pytest.fixture
def taken(hand_in: Any, read_notebook: Any) -> Intake:
    submissions = [hand_in(read_notebook(name), str(number)) for number, name in enumerate(NAMES)]
    submissions.append(hand_in(b"%PDF", "9"))
    return Intake(submissions=submissions, missing=[], unmatched=[], unused=[])


@pytest.fixture
def settings() -> Settings:
    return Settings(rooms=1, secret="canary of the secret")


@pytest.fixture
def session(rooms: Any, taken: Intake, tmp_path: Path) -> Iterator[Session]:
    made = Session(rooms.lender.bundle, taken, tmp_path / "out")
    yield made
    made.close()


def completed(session: Session, settings: Settings) -> list[Verdict]:
    """All verdicts of a run; what is ours is told and graded again, as by the same command."""
    verdicts = list(session.run(settings))
    for _ in range(2):
        ours = [one for one in verdicts if one.status is Standing.GRADER_ERROR]
        if ours:
            print([(one.student, one.message, one.notes) for one in ours])
            session.progress = Progress(len(session.intake.submissions))
            verdicts = list(session.run(settings))
    return verdicts


def again(session: Session, **changes: Any) -> Session:
    session.close()
    return Session(changes.get("bundle", session.bundle), session.intake, session.out)


def test_a_run_grades_and_keeps_everything(session: Session, settings: Settings) -> None:
    first = session.progress
    found = {verdict.student: verdict.score for verdict in completed(session, settings)}
    assert found == {"0": 6, "1": 0, "2": 2, "3": 6, "9": 0}
    assert (first.total, first.done, first.cached) == (5, 5, 0)
    assert dict(session.progress.states) == {"full": 2, "zero": 1, "partial": 1, "unreadable": 1}
    session.close()
    graded = load(session.out)
    assert {verdict.student: verdict.score for verdict in graded.verdicts} == found
    assert graded.manifest == session.bundle.manifest and graded.digest == session.bundle.digest
    folder = session.out / "results" / "0"
    assert {path.name for path in folder.iterdir()} == {
        "verdict.json", "results.json", "executed.ipynb", "executed.html", "log.txt",
    }  # fmt: skip
    assert not (session.out / "results" / "9" / "executed.ipynb").exists()


def test_a_run_without_the_ledger_that_it_needs_is_refused(
    session: Session, settings: Settings
) -> None:
    manifest = session.bundle.manifest
    questions = [replace(one, ledger=one.name == "q2") for one in manifest.questions]
    session.bundle = session.bundle.with_manifest(replace(manifest, questions=questions))
    with pytest.raises(LedgerError, match="how q2 of tiny is to be graded"):
        next(session.run(settings))


def test_no_contents_are_kept_twice(session: Session, settings: Settings) -> None:
    kept = (session.out / "intake.json").read_text()
    assert [one["notebook"] for one in json.loads(kept)["submissions"]] == [""] * 5


def test_a_second_run_grades_nothing(session: Session, settings: Settings) -> None:
    first = completed(session, settings)
    second = again(session)
    verdicts = list(second.run(settings))
    assert (second.progress.done, second.progress.cached) == (0, 5)
    assert sorted(v.key for v in verdicts) == sorted(v.key for v in first)
    second.close()


def test_an_interrupted_run_continues_where_it_stopped(
    session: Session, settings: Settings
) -> None:
    running = session.run(settings)
    kept = [next(running), next(running)]
    running.close()  # type: ignore[attr-defined]
    second = again(session)
    verdicts = completed(second, settings)
    assert second.progress.cached >= 2 and second.progress.cached + second.progress.done == 5
    assert {v.key for v in kept} <= {v.key for v in verdicts[: second.progress.cached]}
    assert {v.student: v.score for v in verdicts} == {"0": 6, "1": 0, "2": 2, "3": 6, "9": 0}
    second.close()


def test_a_change_of_the_bundle_grades_all_afresh(
    session: Session, settings: Settings, course: Any
) -> None:
    completed(session, settings)
    second = again(session, bundle=course.bundle("q2"))
    verdicts = list(second.run(settings))
    assert second.progress.done == 5 and {v.possible for v in verdicts} == {2.0}
    second.close()
    back = again(second, bundle=session.bundle)
    assert {v.possible for v in back.run(settings)} == {6.0} and back.progress.cached == 5
    back.close()
    assert {v.possible for v in load(session.out).verdicts} == {6.0}


def test_a_grader_error_is_not_kept_as_a_result(
    session: Session, settings: Settings, course: Any
) -> None:
    first = again(session, bundle=course.bundle("dies"))
    one = [first.intake.submissions[0]]
    first.intake = second_intake = Intake(submissions=one, missing=[], unmatched=[], unused=[])
    (verdict,) = first.run(settings)
    assert verdict.status is Standing.GRADER_ERROR
    first.close()
    second = Session(first.bundle, second_intake, session.out)
    (verdict,) = second.run(settings)
    assert (second.progress.done, second.progress.cached) == (1, 0)
    second.close()


def test_whoever_is_no_longer_in_the_intake_is_not_in_the_results(
    session: Session, settings: Settings
) -> None:
    completed(session, settings)
    session.close()
    fewer = Intake(submissions=session.intake.submissions[:2], missing=[Student(id="2", name="x")],
                   unmatched=[], unused=[])  # fmt: skip
    Session(session.bundle, fewer, session.out).close()
    assert [verdict.student for verdict in load(session.out).verdicts] == ["0", "1"]


def test_a_folder_without_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no results"):
        load(tmp_path)


def test_every_member_gets_the_verdict_of_one_grading(
    session: Session, settings: Settings, hand_in: Any, read_notebook: Any
) -> None:
    ada, bob = Student(id="1", name="Ada"), Student(id="2", name="Bob")
    handed_in = replace(hand_in(read_notebook("perfect"), "1"), student=ada, team="Blue",
                        members=[ada, bob])  # fmt: skip
    session.intake = taken = Intake(submissions=[handed_in], missing=[], unmatched=[], unused=[])
    first = list(session.run(settings))
    assert [(v.student, v.name, v.score) for v in first] == [("1", "Ada", 6), ("2", "Bob", 6)]
    assert (session.progress.done, len({v.key for v in first})) == (1, 2)
    assert "Blue (Ada; Bob)" in (session.out / "results" / "2" / "results.json").read_text()
    session.close()
    again = Session(session.bundle, taken, session.out)
    assert list(again.run(settings)) == first
    assert (again.progress.done, again.progress.cached) == (0, 1)
    again.close()
    assert load(session.out).verdicts == first


def test_a_new_member_gets_the_verdict_without_another_grading(
    session: Session, settings: Settings, hand_in: Any, read_notebook: Any
) -> None:
    people = [Student(id=str(number), name=f"Student {number}") for number in (1, 2, 3)]
    handed_in = replace(hand_in(read_notebook("perfect"), "1"), student=people[0], team="Blue")
    for members in (people[:2], people):
        taken = Intake(submissions=[replace(handed_in, members=members)], missing=[],
                       unmatched=[], unused=[])  # fmt: skip
        session.close()
        session = Session(session.bundle, taken, session.out)
        verdicts = list(session.run(settings))
    session.close()
    assert session.progress.done == 0 and [v.student for v in verdicts] == ["1", "2", "3"]
    assert {v.team for v in load(session.out).verdicts} == {
        "Blue (Student 1; Student 2; Student 3)"
    }


def test_results_can_be_narrowed_to_a_question(
    session: Session, settings: Settings, course: Any
) -> None:
    session = again(session, bundle=course.bundle("q1", "q2"))
    list(session.run(settings))
    session.close()
    narrowed = load(session.out).only(["q2"])
    assert narrowed.manifest.possible == 2
    graded = [v for v in narrowed.verdicts if v.status is Standing.GRADED]
    assert all(list(v.questions) == ["q2"] and v.possible == 2 for v in graded)
    assert {v.student: v.score for v in graded} == {"0": 2, "1": 0, "2": 2, "3": 2}
