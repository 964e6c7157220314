"""A term on the fake Canvas: 300 students, four assignments, and everything that goes wrong.

``python tests/canvas/story.py`` tells it and prints what the instructor sees. Rooms are stood in
for by :class:`Marks`, which gives the points that a notebook names: what is tried here is the way
from Canvas through the folder of results and back. Everything else is real, from ``autograder
canvas pull`` to ``autograder canvas post``.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))

from fakecanvas import Canvas, serve
from fakecanvas.faults import Fault, JobFault, bad_gateway, throttled
from fakecanvas.model import Assignment, Override, Submission, User
from fakecanvas.scenario import TOKEN

from autograder.bundle import Bundle, Manifest, Question, sha256
from autograder.canvas.client import Client
from autograder.cli import main
from autograder.model import Outcome, QuestionVerdict, Standing, Verdict
from autograder.model import Submission as HandedIn

TITLES = {"cnns": "CNNs", "gnns": "GNNs", "gans": "GANs", "audit": "Model audit"}
"""The assignments, by the name that the course file has."""
POINTS = 40
START = datetime(2027, 2, 1, 9, 0, tzinfo=UTC)
GRACE = timedelta(hours=1)
COURSE = """\
title = "Deep Learning in Healthcare"
term = "Spring 2027"
licence = "MIT"
[canvas]
address = "{address}"
course = 1
[policies]
attempts = "last"
[policies.late]
by = "autograder"
grace_hours = 1
per_day = 0.1
"""
ASSIGNMENT = """
[[assignment]]
name = "{name}"
kind = "homework"
points = 40
weight = 0.25
release = 2027-01-25T09:00:00Z
due = {due:%Y-%m-%dT%H:%M:%SZ}
canvas = {id}
"""
FAMILIES = ("O'Brien-Smith", "Müller", "王", "van der Berg", "Ñúñez", "Nguyễn", "12", "Team_7")
GIVEN = ("Mary Ann", "Jürgen", "小明", "J", "José", "Thị Hoa", "34", "Ada")


class Marks:
    """Stands in for the engine: a notebook is worth what it says of itself."""

    def __init__(self, bundle: Bundle, settings: object) -> None:
        self.bundle = bundle

    def __enter__(self) -> Marks:
        return self

    def __exit__(self, *_: object) -> None: ...

    def key(self, submission: HandedIn) -> str:
        """As the engine's: of what was handed in, and by whom."""
        return sha256(submission.student.id.encode() + b" " + submission.notebook)

    def grade(self, submissions: Iterable[HandedIn]) -> Iterator[Outcome]:
        """What each is worth."""
        for one in submissions:
            worth = json.loads(one.notebook)["metadata"]["worth"]
            question = QuestionVerdict(score=worth, possible=POINTS, tests=[])
            verdict = Verdict(
                student=one.student.key, name=one.student.name, status=Standing.GRADED,
                assignment=self.bundle.manifest.name, score=worth, possible=POINTS,
                isolation="A", seconds=0.1, questions={"q1": question}, source=one.source,
                attempt=one.attempt, submitted=one.submitted, late=one.late, key=self.key(one),
            )  # fmt: skip
            yield Outcome(verdict=verdict, executed=one.notebook)


def notebook(worth: float, salt: str) -> bytes:
    """One that is worth so many points."""
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": salt}
    return json.dumps({
        "cells": [cell], "metadata": {"worth": worth}, "nbformat": 4, "nbformat_minor": 5,
    }).encode()  # fmt: skip


class Story:
    """The term, and what should come of it.

    Args:
        folder: Where the instructor works.
        students: How many there are.
        say: Prints a line.
    """

    def __init__(self, folder: Path, students: int = 300, say: Any = print) -> None:
        self.folder, self.say, self.count = folder, say, students
        self.canvas = Canvas(now=START, request_cost=4.0)
        self.course = self.canvas.add_course(1)
        self.canvas.add_teacher(self.course, token=TOKEN)
        self.random = random.Random(486)
        self.extended: dict[tuple[str, int], datetime] = {}
        self.by_hand: dict[tuple[str, int], float | None] = {}
        """What a person decided in Canvas; ``None`` is an excuse."""
        self.behind: set[tuple[str, int]] = set()
        """Whose newest attempt was handed in after the last pull."""
        self.killed = False
        """Whether a push was ended in the middle."""
        self.writes: dict[tuple[str, int], set[Decimal]] = {}
        """The grades that each student should have been given, one after the other."""
        self._enroll()
        self._assign()

    def _enroll(self) -> None:
        sections = [self.course.sections[0]]
        sections.append(type(sections[0])(self.canvas.numbers.next(), "Section 2"))
        self.course.sections.append(sections[1])
        for number in range(self.count):
            family = f"{FAMILIES[number % len(FAMILIES)]}{number // 64 or ''}"
            given = GIVEN[number // 8 % len(GIVEN)]
            user = self.canvas.add_user(
                1001 + number, f"{family}, {given}", login_id=f"net{number}",
                sis_user_id=f"00{number:04}",
            )  # fmt: skip
            self.canvas.enroll(self.course, user, sections[number % 2])
            if number % 50 == 0:
                self.canvas.enroll(self.course, user, sections[1 - number % 2])

    def _assign(self) -> None:
        self.assignments: dict[str, Assignment] = {}
        for number, (name, title) in enumerate(TITLES.items()):
            due = START + timedelta(days=7 * (number + 1))
            self.assignments[name] = self.canvas.add_assignment(
                self.course, 11 + number, title, points_possible=float(POINTS), due_at=due
            )
            self._bundle(name, title)

    def _bundle(self, name: str, title: str) -> None:
        folder = self.folder / "dist" / name
        folder.mkdir(parents=True)
        data = io.BytesIO()
        zipfile.ZipFile(data, "w").close()
        (folder / "autograder.zip").write_bytes(data.getvalue())
        manifest = Manifest(
            name=name, title=title, notebook=f"{name}.ipynb", otter_zip="autograder.zip",
            questions=[Question(name="q1", points=POINTS)],
            hashes={"autograder.zip": sha256(data.getvalue())},
        )  # fmt: skip
        (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))

    @property
    def people(self) -> list[User]:
        """The students."""
        return [self.canvas.users[1001 + number] for number in range(self.count)]

    def of(self, name: str, user: User) -> Submission:
        """What there is between a student and an assignment."""
        return self.canvas.submission(self.course, self.assignments[name], user)

    def hand_in(self, name: str, user: User, at: datetime) -> None:
        """A student hands in something worth a random number of points."""
        worth = self.random.randrange(0, 2 * POINTS + 1) / 2
        data = notebook(worth, f"{user.id} {at}")
        self.canvas.hand_in(self.course, self.assignments[name], user, {f"{name}.ipynb": data},
                            at=at)  # fmt: skip

    def hand_in_again(self, name: str, user: User) -> None:
        """A day late, or after what was handed in before."""
        due = self.assignments[name].due_at or START
        before = [one.submitted_at for one in self.of(name, user).attempts]
        self.hand_in(name, user, max([due + timedelta(days=1), *before]) + timedelta(hours=2))

    def everybody_hands_in(self, name: str) -> None:
        """All but one in ten, some several times, some late."""
        due = self.assignments[name].due_at or START
        for user in self.people:
            luck = self.random.random()
            if luck < 0.1:
                continue
            late = timedelta(minutes=self.random.randrange(1, 4000)) if luck > 0.8 else None
            tries = 1 + (luck * 100 % 3 > 2)
            for one in range(tries):
                at = due - timedelta(hours=30 - one) if late is None else due + late * (one + 1)
                self.hand_in(name, user, at)

    def extend(self, name: str, users: Iterable[User], days: int) -> None:
        """Give students a due time of their own, in Canvas."""
        one = self.assignments[name]
        due = (one.due_at or START) + timedelta(days=days)
        ids = [user.id for user in users]
        one.overrides.append(Override(self.canvas.numbers.next(), due, student_ids=ids))
        self.extended |= {(name, id_): due for id_ in ids}

    def right(self, name: str, user: User) -> Decimal | None:
        """What should stand in Canvas, worked out by itself: ``None`` where nothing should."""
        key = name, user.id
        if key in self.by_hand:
            value = self.by_hand[key]
            return None if value is None else Decimal(str(value))
        attempts = self.of(name, user).attempts
        attempts = attempts[:-1] if key in self.behind else attempts
        if not attempts:
            return None
        last = attempts[-1]
        worth = Decimal(str(json.loads(last.attachments[0].content)["metadata"]["worth"]))
        due = self.extended.get(key, self.assignments[name].due_at) or last.submitted_at
        late = last.submitted_at - due
        if late > GRACE:
            days = -(-late // timedelta(days=1))
            worth = max(Decimal(0), worth - days * Decimal(POINTS) / 10)
        return worth.quantize(Decimal("0.01"), ROUND_HALF_UP)

    def expect(self, name: str) -> None:
        """Note what a push is about to write, for counting."""
        for user in self.people:
            found = self.right(name, user)
            if found is not None and (name, user.id) not in self.by_hand:
                self.writes.setdefault((name, user.id), set()).add(found)

    def run(self, *arguments: str, status: int = 0, shown: int = 8) -> str:
        """A command of the instructor's; prints it and the end of what it says."""
        self.say(f"$ autograder {' '.join(arguments)}")
        with patch.dict(os.environ, CANVAS_TOKEN=TOKEN):  # `grade` takes it away
            found = CliRunner().invoke(main, list(arguments))
        progress = re.compile(r"\w+ \d+/\d+|\d+/\d+  ")
        lines = [line for line in found.output.strip().splitlines() if not progress.match(line)]
        for line in lines[-shown:]:
            self.say(line)
        if found.exit_code != status:
            raise AssertionError(f"exit status {found.exit_code}\n{found.output}") from (
                found.exception if not isinstance(found.exception, SystemExit) else None
            )
        return found.output

    def round(self, name: str, status: int = 0) -> str:
        """Pull, grade, push."""
        self.run("canvas", "pull", name, shown=6)
        self.grade(name)
        return self.push(name, status)

    def grade(self, name: str) -> None:
        """Grade what was fetched."""
        self.run("grade", f"dist/{name}", f"canvas/{name}", "--roster", "canvas/roster.csv",
                 "--out", f"grading/{name}", shown=2)  # fmt: skip

    def push(self, name: str, status: int = 0) -> str:
        """Send what counts."""
        self.expect(name)
        return self.run("canvas", "push", name, "--results", f"grading/{name}", "--yes",
                        "--feedback", "notebook" if name == "audit" else "none",
                        status=status)  # fmt: skip

    def killed_push(self, name: str, after: int) -> None:
        """Push in another process, and end it without mercy once some students have a grade."""
        self.expect(name)
        self.say(f"$ autograder canvas push {name} --yes        # and the machine loses power")
        process = subprocess.Popen(
            [sys.executable, "-m", "autograder.cli", "canvas", "push", name, "--yes",
             "--results", f"grading/{name}", "--feedback", "none"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=os.environ | {"CANVAS_TOKEN": TOKEN},
        )  # fmt: skip
        deadline = time.monotonic() + 120
        while self.graded(name) < after and process.poll() is None:
            if time.monotonic() > deadline:
                break
            with self.canvas.lock:
                self.canvas.advance(0.2)
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        self.killed = process.wait() == -signal.SIGKILL and self.graded(name) < self.count * 4 // 5
        self.canvas.settle()
        self.say(f"Killed; {self.graded(name)} of {self.count} students have a grade.")

    def graded(self, name: str) -> int:
        """How many have a grade."""
        return sum(self.of(name, user).entered_score is not None for user in self.people)

    def tell(self) -> None:
        """The whole term."""
        say, faults = self.say, self.canvas.faults
        say("## Four assignments are handed in")
        for name in TITLES:
            self.everybody_hands_in(name)
        self.canvas.now = START + timedelta(days=35)
        self.extend("gnns", self.people[40:45], 2)

        say("\n## The first assignment, while Canvas throttles, fails after writing, drops answers")
        faults.answers += [
            throttled("GET", "submissions", nth=2), throttled("POST", "update_grades", 429, nth=2),
            bad_gateway("POST", "update_grades", nth=1), bad_gateway("GET", "progress", 504, nth=2),
            bad_gateway("PUT", r"submissions/\d+", nth=5),
            Fault("PUT", r"submissions/\d+", "drop_after", nth=9),
        ]  # fmt: skip
        faults.jobs += [None, JobFault(dies_after=7), None, JobFault(canceled=True)]
        self.round("cnns")

        say("\n## The second: the machine loses power in the middle")
        self.run("canvas", "pull", "gnns", shown=6)
        self.grade("gnns")
        self.killed_push("gnns", self.count // 5)
        self.push("gnns")

        say("\n## The third, and the fourth with feedback in a file")
        self.round("gans")
        faults.answers += [bad_gateway("POST", "/upload", 502, nth=3)]
        self.round("audit")

        say("\n## Two people decide by hand; others hand in again, or get more time")
        raised, excused = self.people[7], self.people[11]
        for user, grade in ((raised, 39.5), (excused, None)):
            self.by_hand["cnns", user.id] = grade
            more = {"excuse": True} if grade is None else {"grade": grade}
            self.canvas.grade_by_hand(self.course, self.assignments["cnns"], user, **more)
        for user in self.people[20:40]:
            self.hand_in_again("cnns", user)
        self.extend("cnns", self.people[36:41], 3)
        self.run("canvas", "pull", "cnns", shown=6)
        self.grade("cnns")
        for user in self.people[60:63]:  # between grading and sending
            self.behind.add(("cnns", user.id))
            self.hand_in_again("cnns", user)
        said = self.push("cnns", status=1)
        self.conflicts = said

        say("\n## Nobody has seen anything yet; now they do")
        self.seen_before = [one for one in self.course.submissions.values() if one.posted_at]
        for name in TITLES:
            self.run("canvas", "post", name, "--yes", shown=2)
        self.run("canvas", "status", "--results", "grading", shown=30)


@contextmanager
def instructor(story: Story) -> Iterator[None]:
    """At the instructor's desk: the folder, the token, a clock that need not be waited for."""
    with ExitStack() as stack:
        address = stack.enter_context(serve(story.canvas))
        text = COURSE.format(address=address)
        for name, one in story.assignments.items():
            text += ASSIGNMENT.format(name=name, due=one.due_at, id=one.id)
        (story.folder / "course.toml").write_text(text)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        here = Path.cwd()
        stack.callback(os.chdir, here)
        os.chdir(story.folder)
        stack.enter_context(
            patch.dict(
                os.environ, COLUMNS="100", AUTOGRADER_SECRET=hashlib.sha256(b"story").hexdigest()
            )
        )
        stack.enter_context(patch("autograder.session.Engine", Marks))
        slow = patch.dict(Client.__init__.__kwdefaults__ or {}, sleep=story.canvas.advance)
        stack.enter_context(slow)
        yield


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        told = Story(Path(place))
        with instructor(told):
            told.tell()
