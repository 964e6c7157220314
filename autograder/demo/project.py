"""The demonstration of the final project: made-up teams, from registration to the last milestone.

Everybody's files are made of the sample project in ``solutions/``, which is real code: one team
has declared what it changed, the others have each done one thing that a milestone is there to find.
Packages of models are exchanged between them, and audited by the sample's own auditor.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from autograder.demo.canvas import submissions_zip
from autograder.demo.cast import Role

__all__ = ["COLUMNS", "MILESTONES", "Made", "ProjectClass", "gradebook_csv", "groups_csv"]

Files = dict[str, bytes]
MILESTONES = ("p0", "p1", "p2", "p3", "p4", "p5", "p6")
COLUMNS = {name: f"Project {name.upper()} ({88_140 + place})" for place, name in
           enumerate(MILESTONES)}  # fmt: skip
"""The gradebook's column of each milestone."""
REGISTERED = datetime(2027, 2, 11, 12, 0, tzinfo=UTC)


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One team of the class."""

    team: str
    """Empty for somebody who works alone."""
    people: list[tuple[str, str]]
    """Names and logins; the first hands in."""
    what: str
    loses: dict[str, float]
    """Points lost in each milestone that loses any; -1 if how many depends."""
    change: Callable[[Files], Files] = lambda files: files
    """What became of the sample project's files."""
    accuses: bool = False
    """Whether its audit calls everything flawed."""


class ProjectClass:
    """The teams, their people and what each hands in.

    Args:
        sources: ``solutions/final_project``.
        public: ``assignments/final_project``, which the sample's programs are run in.
        notebook: File name and content of the notebook with solutions.
    """

    def __init__(self, sources: Path, public: Path, notebook: tuple[str, bytes],
                 names: Iterable[str]) -> None:  # fmt: skip
        self._sources, self._public = sources, public
        sample = {name: (sources / name).read_bytes() for name in names}
        sample[notebook[0]] = notebook[1]
        self.teams = _teams(self._leaky)
        self.files = {one.team or one.what: one.change(dict(sample)) for one in self.teams}
        numbers = iter(range(100))
        self.roles = [
            Role(name=name, login=login, number=next(numbers), what=one.team or one.what,
                 expect=one.what)
            for one in self.teams for name, login in one.people
        ]  # fmt: skip

    def hand_in(self, packages: Mapping[str, Path] | None = None) -> bytes:
        """``submissions.zip`` of one milestone; with ``packages`` by team, audits of these."""
        handing_in, seen = [], set()
        for role in self.roles:
            if (
                role.what in seen
                or role.what not in self.files
                or role.expect == "handed in nothing"
            ):
                continue
            seen.add(role.what)
            files = dict(self.files[role.what])
            if packages is not None:
                files["audit.json"] = self._audit(role, packages[role.student.key])
            handing_in.append(msgspec.structs.replace(role, files=files))
        return submissions_zip(handing_in)

    def _audit(self, role: Role, package: Path) -> bytes:
        code = (package / "README.txt").read_text("utf-8").split()[3].rstrip(".")
        made = self._run("audit.py", "solubility", str((package / "answers.csv").resolve()), code)
        audit = json.loads(made)
        one = next(one for one in self.teams if (one.team or one.what) == role.what)
        if one.accuses:
            for model in audit["models"].values():
                model["verdict"] = "flawed"
        return json.dumps(audit).encode()

    def _leaky(self, files: Files) -> Files:
        """The sample project with rows dealt instead of scaffolds, trained and reported afresh."""
        with TemporaryDirectory(prefix="autograder-leaky-") as folder:
            self._run("train.py", folder, "--leaky")
            return files | {path.name: path.read_bytes() for path in Path(folder).iterdir()}

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", self._sources.resolve() / program, *arguments],
            cwd=self._public, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr[-2000:]}")
        return done.stdout


def groups_csv(roles: Iterable[Role], alone: Iterable[str]) -> bytes:
    """The teams as Canvas exports a group set; those in ``alone`` are in none."""
    rows = [
        [role.name, role.student.id, role.student.sis_id, role.login, role.student.section,
         "" if role.what in set(alone) else role.what]
        for role in roles
    ]  # fmt: skip
    header = ["name", "canvas_user_id", "user_id", "login_id", "sections", "group_name"]
    return _csv([header, *rows])


def gradebook_csv(roles: Iterable[Role], possible: Mapping[str, float]) -> bytes:
    """The gradebook as Canvas exports it, with a column for each milestone."""
    identity = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    rows = [
        [*identity, *COLUMNS.values()],
        ["    Points Possible", *[""] * 4, *(f"{possible[name]:.2f}" for name in COLUMNS)],
    ]
    for role in sorted(roles, key=lambda role: role.name.casefold()):
        one = role.student
        rows.append([one.name, one.id, one.sis_id, one.login, one.section, *[""] * len(COLUMNS)])
    return _csv(rows)


def _csv(rows: Iterable[Iterable[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


def _teams(leaky: Callable[[Files], Files]) -> list[Made]:
    return [
        Made(team="Aurora", people=[("Lovelace, Ada", "lovelace"), ("Okafor, Chidi", "cokafor2")],
             what="the sample project, with a deviation that is declared", loses={},
             change=_declared),
        Made(team="Basalt", people=[("Nguyễn, Thị Minh Anh", "nguyen.anh")],
             what="rows dealt instead of scaffolds", loses={"p1": 4}, change=leaky),
        Made(team="Cobalt", people=[("García Márquez, Lucía", "lgarcia"),
                                    ("Müller, Jürgen", "jmueller"), ("王, 小明", "xwang")],
             what="claims a better network, and accuses every model",
             loses={"p2": 5, "p3": 4, "p4": 4, "p6": 3}, change=_boastful, accuses=True),
        Made(team="Dune", people=[("O'Brien-Smith, Mary Ann", "obriensm")],
             what="another threshold than registered, undeclared", loses={"p3": 4},
             change=_drifted),
        Made(team="", people=[("Tanaka, Yuki", "ytanaka")], what="handed in nothing", loses={}),
    ]  # fmt: skip


def _declared(files: Files) -> Files:
    told = {"what": "success", "why": "We had guessed 0.2; the chemists we asked settled on 0.18."}
    files["deviations.json"] = json.dumps({"deviations": [told]}).encode()
    return _with_threshold(files, 0.18)


def _drifted(files: Files) -> Files:
    return _with_threshold(files, 0.18)


def _with_threshold(files: Files, threshold: float) -> Files:
    results = json.loads(files["results.json"])
    results["success"]["improvement"] = threshold
    files["results.json"] = json.dumps(results).encode()
    return files


def _boastful(files: Files) -> Files:
    results = json.loads(files["results.json"])
    for run in results["runs"]:
        run["value"] -= 0.3 if run["kind"] == "model" else 0.0
    results["model"]["mean"] -= 0.3
    files["results.json"] = json.dumps(results).encode()
    return files
