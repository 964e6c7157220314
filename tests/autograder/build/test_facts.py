"""What students may know of an assignment is written down, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autograder.build import names
from autograder.build.compose import compose
from autograder.build.facts import with_check

ROOT = Path(__file__).parents[3]


def test_facts_of_the_sound_assignment(masters: Path) -> None:
    built = compose("sound", masters)
    facts = json.loads(built.assignment["assignment.json"])
    first, second, third = facts["questions"]
    assert {key: first[key] for key in ("points", "public", "hidden", "written", "check")} == {
        "points": 3, "public": 1, "hidden": 1, "written": False, "check": True,
    }  # fmt: skip
    assert first["stubs"] == {"sensitivity": "..."} and first["cells"] == []
    assert second["written"] and second["cells"] == [
        "_Type your answer here, replacing this text._"
    ]
    assert third["stubs"] == {"threshold": "..."} and not third["check"]
    assert facts["limits"]["cell_seconds"] == 20 and facts["notebook"] == "sound.ipynb"
    assert [file["name"] for file in facts["files"]] == ["triage.safetensors"]


@pytest.mark.parametrize("name", names(ROOT))
def test_facts_name_nothing_hidden(name: str) -> None:
    text = (ROOT / "assignments" / name / "assignment.json").read_text()
    manifest = compose(name, ROOT).manifest
    for question in manifest.questions:
        for test in question.tests:
            assert test.name not in text
            assert not test.hidden or not test.label or test.label not in text
        for item in question.rubric:
            assert item.text not in text


@pytest.mark.parametrize("name", names(ROOT))
def test_every_question_has_something_that_is_unanswered_as_handed_out(name: str) -> None:
    facts = json.loads((ROOT / "assignments" / name / "assignment.json").read_text())
    assert all(question["stubs"] or question["cells"] for question in facts["questions"])
    assert all(file["tensors"] for file in facts["files"] if file["name"].endswith(".safetensors"))


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("# x\ngrader.export(pdf=False, files=['a', 'b'])",
         "# x\nimport handin\n\ngrader.export(pdf=False, files=handin.present(['a', 'b']))\n"
         "handin.check()"),
        ("grader.export()", "import handin\n\ngrader.export()\nhandin.check()"),
        ("print('grader.export()')", "print('grader.export()')"),
    ],
)  # fmt: skip
def test_the_export_cell_looks_at_what_it_made(source: str, wanted: str) -> None:
    cell = {"cell_type": "code", "source": [source]}
    (changed,) = json.loads(with_check(json.dumps({"cells": [cell]}).encode()))["cells"]
    assert "".join(changed["source"]) == wanted
