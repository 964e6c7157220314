"""What students may know of an assignment is written down, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autograder.build import labs, names
from autograder.build.compose import compose
from autograder.build.facts import with_check
from autograder.build.lint import lint
from autograder.build.master import read_master
from autograder.build.sources import Sources
from autograder.build.testcell import MasterTest
from autograder.demo.pack import zip_bytes
from autograder.handin import examine

ROOT = Path(__file__).parents[3]
GRADED = [name for name in names(ROOT) if name not in labs(ROOT)]


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


@pytest.mark.parametrize("name", GRADED)
def test_facts_name_nothing_hidden(name: str) -> None:
    text = (ROOT / "assignments" / name / "assignment.json").read_text()
    manifest = compose(name, ROOT).manifest
    for question in manifest.questions:
        for test in question.tests:
            assert test.name not in text
            assert not test.hidden or not test.label or test.label not in text
        for item in question.rubric:
            assert item.text not in text


def test_a_milestone_names_every_file_that_its_checks_read() -> None:
    sources = Sources.read("final_project", ROOT)
    master = read_master(sources.notebook, sources.label)
    tests = lint(sources, master)
    tables = sources.recipe.milestone.values()
    for table in tables:
        known = {Path(name).stem for name in [*table.files, *table.optional, *table.needs]}
        own = [test for name in table.questions for test in tests.get(name, [])]
        assert {name for test in own for name in arguments(test)} <= known
    assert {name for table in tables for name in table.questions} == {
        question.name for question in master.questions
    }
    assert {name for table in tables for name in [*table.files, *table.optional]} == set(
        sources.recipe.expected_files
    )


def arguments(test: MasterTest) -> list[str]:
    return [one.arg for one in test.function.args.args]


@pytest.mark.parametrize("name", GRADED)
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


@pytest.mark.parametrize("name", GRADED)
def test_the_solution_costs_nothing_and_what_is_handed_out_lacks_every_answer(
    name: str, tmp_path: Path
) -> None:
    built, sources = compose(name, ROOT), Sources.read(name, ROOT)
    facts = json.loads(built.assignment["assignment.json"])
    milestones = [one["name"] for one in facts.get("milestones", [])] or [None]
    told = []
    for notebook in (built.solution_notebook, built.student_notebook):
        files = {built.manifest.notebook: notebook, **sources.weights}
        (tmp_path / "x.zip").write_bytes(zip_bytes(files))
        reports = [examine(tmp_path / "x.zip", facts, milestone=one) for one in milestones]
        found = [finding for report in reports for finding in report.findings]
        told.append([finding.text for finding in found if finding.mark != "ok"])
    assert told[0] == []
    questions = [question.name for question in built.manifest.questions]
    unanswered = [text for text in told[1] if "of an earlier milestone" not in text]
    assert [text.split()[1] for text in unanswered] == questions
