import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from autograder import course, pulled
from autograder.course import Deducts
from autograder.engine import Settings
from autograder.errors import StoreError
from autograder.grades import Rules
from autograder.intake import Intake
from autograder.model import Standing, Student, Submission, Verdict
from autograder.policy import Attempts, Deadline, LateRule
from autograder.progress import Progress
from autograder.pulled import Pull
from autograder.session import Session, load, prepared

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


DUE = datetime(2027, 2, 28, 22, 59, tzinfo=UTC)
DAY = timedelta(days=1)
LATE = Rules(deadline=Deadline(due=DUE), late=LateRule(share=Decimal("0.1")),
             by=Deducts.AUTOGRADER)  # fmt: skip
BEST = replace(LATE, attempts=Attempts.BEST)


@pytest.fixture
def tries(hand_in: Any, read_notebook: Any) -> list[Submission]:
    """Of one student: all right in time, nothing a day later, the first bytes again after two."""
    return [
        hand_in(read_notebook(name), "1", attempt=number, submitted=DUE + (number - 1) * DAY,
                late=number > 1)
        for number, name in ((1, "perfect"), (2, "blank"), (3, "perfect"))
    ]  # fmt: skip


def opened(session: Session, tries: list[Submission], rules: Rules) -> Session:
    """A session of these attempts beside the one of the fixture."""
    taken = Intake(submissions=tries, missing=[], unmatched=[], unused=[])
    session.close()
    return Session(session.bundle, taken, session.out, rules)


def output(folder: Path) -> str:
    return str(json.loads((folder / "results.json").read_text())["output"]).splitlines()[0]


def test_every_attempt_is_graded_kept_and_told_apart(
    session: Session, settings: Settings, tries: list[Submission]
) -> None:
    session = opened(session, tries, BEST)
    found = {v.attempt: v for v in session.run(settings)}
    assert {number: v.score for number, v in found.items()} == {1: 6, 2: 0, 3: 6}
    assert found[1].key == found[3].key != found[2].key, "equal bytes are graded once"
    assert found[3].submitted == DUE + 2 * DAY and found[3].late and not found[1].late
    assert session.progress.done == session.progress.total == 3
    session.close()
    assert load(session.out).verdicts == [found[1], found[2], found[3]]
    for _ in range(2):  # nothing is graded, and nothing kept twice
        session = opened(session, tries, BEST)
        assert {v.attempt: v for v in session.run(settings)} == found
        assert (session.progress.done, session.progress.cached) == (0, 3)
        (kept,) = session.store._database.execute("SELECT count(*) FROM results").fetchone()
        session.close()
        assert kept == 3


def test_the_folder_says_what_counts_and_other_attempts_lie_below_it(
    session: Session, settings: Settings, tries: list[Submission]
) -> None:
    session = opened(session, tries, BEST)
    found = {v.attempt: v for v in session.run(settings)}
    own = session.out / "results" / "1"
    assert output(own) == "Points for tests, of attempt 1: 6/6"
    assert "Points for tests, of attempt 1: 6/6" in (own / "executed.html").read_text()
    others = {path.name: path for path in own.glob("attempt-*")}
    assert set(others) == {"attempt-2-2027-03-01T225900Z", "attempt-3-2027-03-02T225900Z"}
    assert all("Points for tests" not in output(path) for path in others.values())
    assert session.place(found[1]) == own
    assert session.place(found[2]) == others["attempt-2-2027-03-01T225900Z"]

    session = opened(session, tries[-1:], LATE)
    (last,) = session.run(settings)
    assert output(own) == (
        "Points for tests, of attempt 3: 6/6, 2 days late: −20 % of 6 → 4.8"
    )  # fmt: skip
    assert list(own.glob("attempt-*")) == [] and session.place(last) == own
    session.close()
    assert [v.attempt for v in load(session.out).verdicts] == [3], "only what was taken in last"


def test_an_interrupted_run_of_several_attempts_writes_no_folder_too_early(
    session: Session, settings: Settings, tries: list[Submission]
) -> None:
    session = opened(session, tries, BEST)
    running = session.run(settings)
    next(running)
    running.close()  # type: ignore[attr-defined]
    assert not (session.out / "results" / "1").exists()
    session = opened(session, tries, BEST)
    assert len(list(session.run(settings))) == 3
    assert output(session.out / "results" / "1").startswith("Points for tests, of attempt 1")
    session.close()


def test_what_is_known_of_a_hand_in_is_renewed_without_another_grading(
    session: Session, settings: Settings, hand_in: Any, read_notebook: Any
) -> None:
    zipped = hand_in(read_notebook("perfect"), "1", late=True)
    fetched = hand_in(read_notebook("perfect"), "1", attempt=4, submitted=DUE)
    for submission in (zipped, fetched):
        session = opened(session, [submission], LATE)
        (verdict,) = session.run(settings)
        expected = (submission.attempt, submission.submitted, submission.late)
        assert (verdict.attempt, verdict.submitted, verdict.late) == expected
    assert session.progress.cached == 1
    session.close()
    assert load(session.out).verdicts == [verdict]


def test_members_have_numbers_of_their_own(
    session: Session, settings: Settings, tries: list[Submission]
) -> None:
    ada, bob = Student(id="1", name="Ada"), Student(id="2", name="Bob")
    team = [replace(one, student=ada, team="Blue", members=[ada, bob]) for one in tries[:2]]
    team[1] = replace(team[1], numbers={"1": 2, "2": 1})
    session = opened(session, team, BEST)
    found = sorted((v.student, v.attempt, v.submitted) for v in session.run(settings))
    assert found == [("1", 1, DUE), ("1", 2, DUE + DAY), ("2", 1, DUE), ("2", 1, DUE + DAY)]
    folder = session.out / "results" / "2"
    assert output(folder) == "Handed in by the team Blue (Ada; Bob), for all of it."
    assert [path.name for path in folder.glob("attempt-*")] == ["attempt-1-2027-03-01T225900Z"]
    session.close()
    assert len(load(session.out).verdicts) == 4


@pytest.fixture
def fetched(tmp_path: Path, read_notebook: Any, course_file: str) -> Pull:
    """Somebody handed in a day late."""
    data = read_notebook("perfect")
    (tmp_path / "pulled").mkdir()
    (tmp_path / "pulled" / "a.ipynb").write_bytes(data)
    (tmp_path / "course.toml").write_text(course_file)
    file = pulled.File(id=1, name="tiny.ipynb", size=len(data), path="a.ipynb")
    attempt = pulled.Attempt(user="1", number=2, submitted=DUE + DAY, late=True,
                             kind="online_upload", files=[file])  # fmt: skip
    made = Pull(address="https://canvas.example.edu", course=9, assignment=11, title="Tiny",
                name="tiny", points=6, due=DUE, pulled=DUE, attempts=[attempt])  # fmt: skip
    pulled.write(tmp_path / "pulled", made)
    return made


def test_what_counts_follows_an_extension_without_another_grading(
    session: Session, settings: Settings, fetched: Pull, tmp_path: Path
) -> None:
    roster = [Student(id="1", name="Ada"), Student(id="2", name="Bob")]
    out = tmp_path / "fetched"
    made = prepared(tmp_path, session.bundle, [tmp_path / "pulled"], roster, [], out)
    assert [v.attempt for v in made.run(settings)] == [2]
    made.close()
    own = out / "results" / "1"
    assert output(own) == "Points for tests, of attempt 2: 6/6, 1 day late: −10 % of 6 → 5.4"
    plan = course.read(tmp_path)
    assert [one.points for one in load(out).settle(plan)] == [Decimal("5.4")]

    in_time = replace(fetched.attempts[0], late=False)
    moved = replace(fetched, dues={"1": DUE + 2 * DAY}, attempts=[in_time])
    pulled.write(tmp_path / "pulled", moved)
    assert [one.points for one in load(out).settle(plan)] == [6]
    assert output(own) == "Points for tests, of attempt 2: 6/6"
    assert "of attempt 2: 6/6<" in (own / "executed.html").read_text()

    (tmp_path / "pulled" / pulled.FILE).unlink()
    assert load(out).pull == fetched, "the copy of what was graded"


def test_which_attempt_counts_may_be_said_otherwise_and_is_remembered(
    session: Session, fetched: Pull, tmp_path: Path
) -> None:
    paths, out = [tmp_path / "pulled"], tmp_path / "fetched"
    made = prepared(tmp_path, session.bundle, paths, [Student(id="1", name="Ada")], [], out, "best")
    made.close()
    assert made.rules.attempts is Attempts.BEST
    assert load(out).rules(course.read(tmp_path)).attempts is Attempts.BEST
