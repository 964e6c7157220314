"""Blind exchange: every team audits another team's model, among planted ones, without names.

What is exchanged is no code and no weights but a model's *answers* to its topic's panel, a public
table of cases with changes of one thing at a time. Answers carry no comments, no style and no
metadata; nobody has to run a stranger's code; and planted models cannot be told by how they were
written. Each team's ``predict`` is asked in a room, by a notebook of ours.

The planted models come from the bundle's own reference, by which hidden tests judge an audit: both
know the same facts. See ``reference_impl/final_project/decoys.py``.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec

from autograder.bundle import Bundle, sha256
from autograder.engine import Settings, grade
from autograder.errors import AutograderError
from autograder.files import TemporaryFolder, write_atomically
from autograder.ledger import EXCHANGED, REGISTERED, Ledger
from autograder.model import Outcome, Submission
from autograder.project.registration import party
from autograder.teams import Team

__all__ = ["Package", "Taken", "answers", "exchange"]

ANSWERS = "answers.csv"
PROGRAM = "reference_impl.final_project.decoys"
NOTEBOOK = """
import projectkit
from predict import predict

projectkit.answer_panel(predict, {topic!r}, {file!r})
"""
README = """This is package {package}. answers.csv holds what models answered to each row of
topics.panel({topic!r}), in its order. Write {package} as `package` into audit.json.
"""


class ExchangeError(AutograderError):
    """Models cannot be exchanged."""


class Taken(NamedTuple):
    """A team's model, as far as it could be asked."""

    team: Team
    topic: str
    answers: list[str]
    """To each row of the panel, as printed; empty if it could not be asked."""
    problem: str = ""


class Package(NamedTuple):
    """What one team is sent."""

    team: Team
    code: str
    models: dict[str, str]
    """Whose each model is: a team's key, ``guilty`` or ``innocent``. For staff."""
    files: dict[str, bytes]


def answers(
    bundle: Bundle, submissions: Sequence[Submission], ledger: Ledger, settings: Settings
) -> list[Taken]:
    """Ask every team's model about the panel of the topic that the team has registered.

    Raises:
        IsolationError: as grading does.
    """
    manifest = msgspec.structs.replace(
        bundle.manifest,
        questions=[],
        checkpoints=[],
        expected_files=[*bundle.manifest.expected_files, ANSWERS],
    )
    topics = {one.student.key: _topic(party(one), ledger) for one in submissions}
    asked = [
        _asking(one, topics[one.student.key]) for one in submissions if topics[one.student.key]
    ]
    found = {
        outcome.verdict.student: outcome
        for outcome in grade(bundle.with_manifest(manifest), asked, settings)
    }
    return [
        _taken(party(one), topics[one.student.key], found.get(one.student.key))
        for one in submissions
    ]


def exchange(
    bundle: Bundle, taken: Sequence[Taken], ledger: Ledger, secret: str, at: datetime, out: Path
) -> list[Package]:
    """Write a package for every team that has a topic, and note it in the ledger.

    Within a topic the models go round in an order that the secret decides, so that nobody gets
    their own. Where only one team's model could be asked, its team gets planted models alone.

    Args:
        bundle: Its reference plants models.
        taken: As :func:`answers` gives them.
        ledger: Who got what is noted there.
        secret: The course secret.
        at: When the packages are sent.
        out: Folder; each team gets one, named after its key.

    Raises:
        ExchangeError: if somebody has a package already, or no model can be planted.
    """
    for one in taken:
        if ledger.last(EXCHANGED, one.team):
            raise ExchangeError(
                f"{_name(one.team)} has a package already, according to {ledger.path}; exchange "
                "only the hand-ins of teams that have none."
            )
    givers = _givers([one for one in taken if one.answers], secret)
    sent = []
    planted = _planted(bundle, [one for one in taken if one.topic], secret)
    for one, decoys in planted:
        giver = givers.get(one.team.key) or _other(one, taken, secret)
        package = _package(one, decoys, giver)
        for name, data in package.files.items():
            write_atomically(out / one.team.key / name, data)
        ledger.add(
            EXCHANGED, one.team, at, sha256=sha256(package.files[ANSWERS]), topic=one.topic,
            models=package.models,
        )  # fmt: skip
        sent.append(package)
    return sent


def _topic(team: Team, ledger: Ledger) -> str:
    entry = ledger.last(REGISTERED, team)
    return str(entry.prereg.get("topic", "")) if entry else ""


def _asking(submission: Submission, topic: str) -> Submission:
    cell: dict[str, Any] = {
        "cell_type": "code", "id": "ask", "metadata": {}, "execution_count": None, "outputs": [],
        "source": NOTEBOOK.format(topic=topic, file=ANSWERS),
    }  # fmt: skip
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    files = {name: data for name, data in submission.files.items() if name != ANSWERS}
    return msgspec.structs.replace(
        submission, notebook=json.dumps(notebook).encode(), files=files, problem=""
    )


def _taken(team: Team, topic: str, outcome: Outcome | None) -> Taken:
    if not topic:
        return Taken(team, "", [], "nothing was registered, so that the topic is not known")
    data = outcome.artefacts.get(ANSWERS, b"") if outcome else b""
    found = _parsed(data)
    return Taken(team, topic, found, "" if found else "predict did not answer the panel")


def _parsed(data: bytes) -> list[str]:
    """Finite numbers of a table with the columns row and answer, spelt anew; else nothing."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode("ascii"))))
        values = [float(row[1]) for row in rows[1:]]
    except (UnicodeDecodeError, csv.Error, ValueError, IndexError):
        return []
    return [f"{value:.4f}" for value in values] if all(map(math.isfinite, values)) else []


def _givers(taken: Iterable[Taken], secret: str) -> dict[str, Taken]:
    """Whose model each team gets: the next one's, in an order that the secret decides."""
    by_topic: defaultdict[str, list[Taken]] = defaultdict(list)
    for one in sorted(taken, key=lambda one: one.team.key):
        by_topic[one.topic].append(one)
    found: dict[str, Taken] = {}
    for topic, own in by_topic.items():
        Random(f"{secret} exchange {topic}").shuffle(own)
        if len(own) > 1:
            found |= {one.team.key: own[place - 1] for place, one in enumerate(own)}
    return found


def _other(taker: Taken, taken: Iterable[Taken], secret: str) -> Taken | None:
    """A model for a team whose own could not be asked: any other of its topic."""
    others = [
        one for one in taken
        if one.answers and one.topic == taker.topic and one.team.key != taker.team.key
    ]  # fmt: skip
    return Random(f"{secret} {taker.team.key}").choice(others) if others else None


def _planted(bundle: Bundle, takers: Sequence[Taken], secret: str) -> list[tuple[Taken, Any]]:
    """The planted part of each team's package, computed by the bundle's own reference."""
    wanted = json.dumps([[one.team.key, one.topic] for one in takers])
    folder = TemporaryFolder("exchange")
    try:
        bundle.unpack(folder.path)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", PROGRAM],
            cwd=folder.path / "files",
            input=wanted,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "AUTOGRADER_SECRET": secret, "PYTHONDONTWRITEBYTECODE": "1"},
        )
    finally:
        folder.close()
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise ExchangeError(f"{bundle.folder} has no models to plant: {last}")
    return list(zip(takers, json.loads(done.stdout), strict=True))


def _package(one: Taken, decoys: Any, giver: Taken | None) -> Package:
    columns = {
        name: [f"{value:.4f}" for value in values] for name, values in decoys["answers"].items()
    }
    models = {decoys["guilty"]: "guilty", decoys["innocent"]: "innocent"}
    if giver is not None:
        columns[decoys["real"]], models[decoys["real"]] = giver.answers, giver.team.key
    names = sorted(columns)
    rows = zip(*(columns[name] for name in names), strict=True)
    lines = [",".join(["row", *names])]
    lines += [",".join([str(number), *row]) for number, row in enumerate(rows)]
    readme = README.format(package=decoys["package"], topic=one.topic)
    files = {ANSWERS: ("\n".join(lines) + "\n").encode(), "README.txt": readme.encode()}
    return Package(one.team, decoys["package"], models, files)


def _name(team: Team) -> str:
    return f"The team {team.name}" if team.name else team.members[0].name
