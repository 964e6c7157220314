"""Every attack of the corpus, one test each; the invariants are in ``harness.judge``."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
import torch
from harness import ATTACKER, CORPUS, Graded, Grader, check, corpus, load

HOLES: dict[str, str] = {}
"""Attacks that get what they must not, by id, and what that is."""


OFTEN = {
    1, 4, 7, 14, 15, 16, 17, 18, 21, 24, 25, 31, 36, 40, 43, 45, 49, 50, 51, 53, 54, 55, 58, 59, 60,
    65, 66, 68, 69, 70, 73, 76, 78,
}  # fmt: skip
"""Numbers of attacks that together touch every layer; the others are slow together."""


def _marked(path: Path, before: Path | None) -> object:
    hole = HOLES.get(path.stem)
    marks = [pytest.mark.xfail(reason=hole, strict=True)] if hole else []
    variant = before is not None and before.name[:2] == path.name[:2]
    if variant or int(path.name[:2]) not in OFTEN:
        marks.append(pytest.mark.slow)
    return pytest.param(path, id=path.stem, marks=marks)


@pytest.mark.parametrize("path", [*map(_marked, corpus(), [None, *corpus()])])
def test_attack_gets_nothing_and_leaves_nothing(path: Path, grader: Grader) -> None:
    attack = load(path)
    if attack.needs == "gpu" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    finding = check(attack, grader)
    if finding.violations:
        grader.renew()
    assert not finding.violations, "\n".join([attack.must, *finding.violations])


def graded(grader: Grader, name: str) -> Graded:
    (path,) = (path for path in corpus() if path.stem == name)
    return grader.grade(load(path).submission())


def test_another_attempt_meets_the_same_hidden_inputs(grader: Grader) -> None:
    notebook = load(CORPUS / "29_re_roll.ipynb").submission()["target.ipynb"]
    drawn = []
    for attempt in (b"ATTEMPT = 1", b"ATTEMPT = 2"):
        again = {"target.ipynb": notebook.replace(b"ATTEMPT = 1", attempt)}
        log = grader.grade(again).folder(ATTACKER)["log.txt"].decode()
        drawn.append([line for line in log.splitlines() if line.startswith("drawn: ")])
    assert drawn[0] == drawn[1] and len(set(drawn[0])) > 2


@pytest.mark.parametrize("name", ["76_xss_output", "77_ansi_terminal", "79_prompt_inject"])
def test_what_people_read_is_inert(grader: Grader, name: str) -> None:
    found = graded(grader, name)
    page = found.out / "report.html"
    said = grader.command("report", "--results", found.out, "--out", page).output
    text = page.read_text()
    assert "Mallory" in text
    assert not re.search(r"<script|<svg[^>]*onload|<iframe|onerror=|javascript:", text, re.I)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text + said + found.said)


def test_no_cell_of_an_export_is_a_formula(grader: Grader) -> None:
    found = graded(grader, "78_csv_formula")
    written = found.out / "canvas.csv"
    options = ("--results", found.out, "--gradebook", grader.roster, "--assignment", "Target (77)")
    assert grader.command("export", "canvas", *options, "--out", written).exit_code == 0
    cells = [cell for row in csv.reader(written.read_text().splitlines()) for cell in row]
    assert "10" in cells and not [cell for cell in cells if cell[:1] in "=+-@\t\r" and cell]
