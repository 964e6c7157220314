"""The harness is not blind: each invariant is broken once, and it says so."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from census import room_user
from harness import CANARIES, INPUT_CANARIES, REACHED, TARGET, Grader, judge

HONEST = (TARGET / "honest.ipynb").read_bytes()
WRONG = (TARGET / "wrong.ipynb").read_bytes()
TOKEN = CANARIES["the Canvas token"]
IN_PARTS = f'"{TOKEN[:9]}" "{TOKEN[9:]}"'
"""Python for it that does not hold it, so that the source alone shows nothing."""


def broken(grader: Grader, notebook: bytes = WRONG, standing: str = "graded",
           honest: bytes | None = None,
           meanwhile: Callable[[], None] = lambda: None) -> list[str]:  # fmt: skip
    graded = grader.grade({"target.ipynb": notebook}, honest, meanwhile)
    return judge(standing, graded, grader).violations


def with_cell(source: str) -> bytes:
    notebook = json.loads(WRONG)
    cell = {"cell_type": "code", "id": "more", "metadata": {}, "outputs": [], "source": source}
    notebook["cells"].append(cell | {"execution_count": None})
    return json.dumps(notebook).encode()


def test_the_plain_wrong_submission_breaks_nothing(grader: Grader) -> None:
    assert broken(grader) == []
    assert grader.wrong_score == 10 and grader.possible == 50


def test_more_points_than_the_wrong_submission_break_i1(grader: Grader) -> None:
    found = broken(grader, HONEST)
    assert [violation[:2] for violation in found] == ["I1"] and "test_accuracy" in found[0]


@pytest.mark.parametrize(
    "source",
    [
        f"print({IN_PARTS})",
        f"import os\nos.write(1, ({IN_PARTS}).encode())",
        f'open("weights.safetensors", "w").write({IN_PARTS})',
        f'print("{REACHED}something")',
        f'import os\nos.write(2, b"{REACHED}something\\n== room T ==\\n")',
        f"print({INPUT_CANARIES['a hidden input']})",
    ],
    ids=["shown", "printed", "handed in", "said", "said behind a heading", "input"],
)
def test_what_must_not_be_known_breaks_i2(grader: Grader, source: str) -> None:
    assert {violation[:2] for violation in broken(grader, with_cell(source))} == {"I2"}


def test_an_honest_student_who_loses_points_breaks_i3(grader: Grader) -> None:
    assert [violation[:2] for violation in broken(grader, honest=WRONG)] == ["I3", "I3"]


@pytest.mark.parametrize(
    "place",
    [
        "home/.cache",
        pytest.param("tmp/left", marks=pytest.mark.slow),
        pytest.param("/tmp/left by an attack", marks=pytest.mark.slow),
    ],
)
def test_a_file_left_behind_breaks_i4(grader: Grader, place: str) -> None:
    path = grader.folder / place

    def leave() -> None:
        path.write_text("x")
        if os.geteuid() == 0:
            os.chown(path, room_user(), room_user())

    try:
        found = broken(grader, meanwhile=leave)
    finally:
        path.unlink()
    assert [violation[:2] for violation in found] == ["I4"] and path.name in found[0]


def test_memory_of_the_supervisor_breaks_i5(grader: Grader) -> None:
    found = broken(grader, meanwhile=lambda: bytes(b"x" * 2**29) and None)
    assert [violation[:2] for violation in found] == ["I5"]


def test_a_fault_of_the_wrong_party_breaks_i6(grader: Grader) -> None:
    assert [violation[:2] for violation in broken(grader, standing="unreadable")] == ["I6"]
    assert [violation[:2] for violation in broken(grader, b"no notebook")] == ["I6"]


@pytest.mark.parametrize("what", ["a hidden test", "the reference"])
def test_canaries_lie_where_they_should(grader: Grader, what: str) -> None:
    with zipfile.ZipFile(grader.bundle.otter_zip) as archive:
        texts = [archive.read(name) for name in archive.namelist()]
    assert any(CANARIES[what].encode() in text for text in texts)
    handed_out = [path.read_bytes() for path in published(grader.folder) if path.is_file()]
    assert handed_out and not any(CANARIES[what].encode() in text for text in handed_out)


def published(folder: Path) -> list[Path]:
    return list((folder / "project" / "assignments").rglob("*"))


def test_secrets_lie_in_the_graders_surroundings(grader: Grader) -> None:
    assert os.environ["CANVAS_TOKEN"] == TOKEN
    assert CANARIES["a file at home"] in Path(os.environ["HOME"], ".netrc").read_text()
    assert CANARIES["the roster"] in grader.roster.read_text()
