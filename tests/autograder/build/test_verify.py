"""The proof an assignment ships with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from autograder.build.compose import compose
from autograder.build.mutant import read_mutants, spread
from autograder.build.verify import Proof, verify
from autograder.bundle import Bundle
from autograder.errors import BuildError
from autograder.model import Outcome, Standing, Status, Submission


def row(proof: Proof, subject: str) -> Any:
    return next(row for row in proof.rows if row.subject == subject)


def test_sound_assignment_is_proved(masters: Path, plain_grade: Any) -> None:
    proof = verify("sound", masters, grade=plain_grade)
    assert [row.subject for row in proof.rows] == [
        "solution",
        "student notebook",
        "panel sets_of_places",
        "mutant counts_all_cases",
        "mutant threshold_over_one",
    ]
    assert proof.holds, proof.rows
    assert row(proof, "solution").got == "all 4 points"


def test_only_named_subjects_are_graded(masters: Path, plain_grade: Any) -> None:
    proof = verify("sound", masters, grade=plain_grade, only=["solution"])
    assert [row.subject for row in proof.rows] == ["solution"]


def test_a_number_of_mutants_is_spread_over_the_list(masters: Path, plain_grade: Any) -> None:
    heard: list[Any] = []
    proof = verify("sound", masters, grade=plain_grade, mutants=1, heard=heard.append)
    assert [row.subject for row in proof.rows][3:] == ["mutant counts_all_cases"]
    assert heard == proof.rows
    assert spread("abcdefg", 3) == ["a", "c", "e"]
    assert spread("ab", 3) == spread("ab", None) == ["a", "b"]


def test_solution_that_fails_a_hidden_test(masters: Path, plain_grade: Any) -> None:
    proof = verify("solution_fails", masters, grade=plain_grade)
    assert not proof.holds
    got = row(proof, "solution").got
    assert got.startswith("q1 0/3: test_all_found failed")
    assert "test_half_found failed (AssertionError: missed positives" in got


def test_solution_that_exits_has_no_full_marks(masters: Path, plain_grade: Any) -> None:
    assert not row(verify("solution_exits", masters, grade=plain_grade), "solution").holds


def test_answer_that_is_given_away(masters: Path, plain_grade: Any) -> None:
    proof = verify("answer_given_away", masters, grade=plain_grade)
    assert row(proof, "solution").holds
    assert row(proof, "student notebook").got == "q1 1/3: test_all_found passed"


def test_lab_is_proved_by_the_outcomes_of_its_self_checks(masters: Path, plain_grade: Any) -> None:
    proof = verify("lab", masters, grade=plain_grade)
    assert proof.holds and [(row.subject, row.got) for row in proof.rows] == [
        ("solution", "every self-check passes"),
        ("student notebook", "no self-check passes"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "subject", "got"),
    [
        ("return x / 2", "return x / 3", "solution", "q1 0/0: test_half_of_four failed"),
        ("raise NotImplementedError(", "return 2  # (", "student notebook",
         "q1 0/0: test_half_of_four passed"),
    ],
)  # fmt: skip
def test_lab_whose_self_check_says_the_wrong_thing(
    project: Path, plain_grade: Any, old: str, new: str, subject: str, got: str
) -> None:
    master = project / "solutions/lab/lab.ipynb"
    master.write_text(master.read_text().replace(old, new))
    proof = verify("lab", project, grade=plain_grade)
    assert [one.subject for one in proof.rows if not one.holds] == [subject]
    assert row(proof, subject).got.startswith(got)


def test_mutant_that_survives(project: Path, plain_grade: Any) -> None:
    mutant = project / "reference_impl/sound/mutants/counts_all_cases.py"
    mutant.write_text(mutant.read_text().replace("/ len(labels)", "/ max(1, sum(labels))"))
    got = row(verify("sound", project, grade=plain_grade), "mutant counts_all_cases").got
    assert got == "test_all_found passed | test_half_found passed"


def test_mutant_that_costs_another_question_points(project: Path, plain_grade: Any) -> None:
    mutant = project / "reference_impl/sound/mutants/threshold_over_one.py"
    mutant.write_text(
        mutant.read_text()
        .replace("question: q3", "question: q1")
        .replace("caught_by: test_threshold", "caught_by: test_half_found")
        + "\nimport reference_impl.sound.metrics as m\nm.is_probability = None\n"
    )
    got = row(verify("sound", project, grade=plain_grade), "mutant threshold_over_one").got
    assert got.startswith("test_half_found passed | q3 0/1: test_threshold failed")


@pytest.mark.parametrize(("earned", "holds"), [(1.0, True), (2.0, False), (0.0, False)])
def test_the_solution_without_its_weights_earns_what_the_recipe_says(
    project: Path, plain_grade: Any, earned: float, holds: bool
) -> None:
    recipe = project / "solutions/sound/assignment.toml"
    recipe.write_text(
        f'{recipe.read_text()}\n[checkpoint."triage.safetensors"]\nquestion = "q1"\n'
        'tests = ["test_half_found"]\ncredit = 0.5\n'
    )
    given = []

    def less(bundle: Bundle, subs: Any, settings: object) -> Iterator[Outcome]:
        subs = list(subs)
        given.extend(sub.files for sub in subs)
        for outcome in plain_grade(bundle, subs, settings):
            q1 = outcome.verdict.questions["q1"]
            lost = msgspec.structs.replace(q1, score=1 + earned)
            questions = {**outcome.verdict.questions, "q1": lost}
            verdict = msgspec.structs.replace(outcome.verdict, questions=questions)
            yield msgspec.structs.replace(outcome, verdict=verdict)

    proof = verify("sound", project, grade=less, only=["solution without weights"])
    (found,) = proof.rows
    assert found.expected.startswith("3 points") and given == [{}]
    assert found.holds is holds, found.got


@pytest.mark.parametrize(
    ("requires", "status", "holds"),
    [
        ('q3 = ["q1"]', Status.SKIPPED, True),
        ('q3 = ["q1"]', Status.FAILED, False),
        ("", Status.SKIPPED, False),
    ],
)
def test_only_what_builds_on_a_mutants_question_may_be_skipped(
    project: Path, plain_grade: Any, requires: str, status: Status, holds: bool
) -> None:
    recipe = project / "solutions/sound/assignment.toml"
    recipe.write_text(f"{recipe.read_text()}\n[requires]\n{requires}\n")

    def skipping(bundle: Bundle, subs: Any, settings: object) -> Iterator[Outcome]:
        for outcome in plain_grade(bundle, subs, settings):
            verdict = outcome.verdict
            q3 = verdict.questions["q3"]
            test = msgspec.structs.replace(q3.tests[0], status=status, points=0.0)
            lost = msgspec.structs.replace(q3, score=0.0, tests=[test])
            verdict = msgspec.structs.replace(verdict, questions={**verdict.questions, "q3": lost})
            yield msgspec.structs.replace(outcome, verdict=verdict)

    proof = verify("sound", project, grade=skipping, only=["mutant counts_all_cases"])
    assert proof.holds is holds, proof.rows


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("question: q3", "question: q9", "no autograded question q9"),
        ("question: q3", "question: q2", "no autograded question q2"),
        ("caught_by: test_threshold", "caught_by: test_x", "q3 has no test test_x"),
        ("caught_by: test_threshold", "", "needs a first line"),
        ("threshold = 1.5", "threshold = (", "not Python"),
    ],
)
def test_mutant_with_a_wrong_header(project: Path, old: str, new: str, text: str) -> None:
    mutant = project / "reference_impl/sound/mutants/threshold_over_one.py"
    mutant.write_text(mutant.read_text().replace(old, new))
    with pytest.raises(BuildError, match=rf"mutants/threshold_over_one\.py.*{text}"):
        verify("sound", project, grade=lambda *_: iter(()))


def test_mutant_runs_right_before_the_check_of_its_question(masters: Path) -> None:
    built = compose("sound", masters)
    first, last = read_mutants(masters / "reference_impl/sound/mutants", built.manifest)
    cells = json.loads(first.insert(built.solution_notebook))["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    place = sources.index('grader.check("q1")')
    assert "Divides by all cases" in sources[place - 1]
    assert "return found" in sources[place - 2]
    cells = json.loads(last.insert(built.solution_notebook))["cells"]
    marked = next(
        cell for cell in cells if "q3" in cell["metadata"].get("otter", {}).get("tests", [])
    )
    assert "".join(marked["source"]).endswith("threshold = 1.5\n")


def test_student_notebook_is_graded_without_weights(masters: Path) -> None:
    seen = {}

    def look(bundle: Bundle, subs: Iterable[Submission], settings: object) -> Iterator[Outcome]:
        seen.update({sub.student.name: sorted(sub.files) for sub in subs})
        return iter(())

    proof = verify("sound", masters, grade=look)
    assert seen["solution"] == seen["mutant counts_all_cases"] == ["triage.safetensors"]
    assert seen["panel sets_of_places"] == ["triage.safetensors"]
    assert seen["student notebook"] == []
    assert row(proof, "solution").got == "the engine gave no verdict"


@pytest.mark.parametrize(
    ("standing", "status", "got"),
    [
        (Standing.UNREADABLE, Status.FAILED, "unreadable: no cells"),
        (Standing.GRADED, Status.GRADER_ERROR, "grader error in q1 test_all_found"),
    ],
)
def test_grader_trouble_proves_nothing(
    masters: Path, plain_grade: Any, standing: Standing, status: Status, got: str
) -> None:
    def troubled(bundle: Bundle, subs: Any, settings: object) -> Iterator[Outcome]:
        for outcome in plain_grade(bundle, subs, settings):
            verdict = outcome.verdict
            q1 = verdict.questions["q1"]
            tests = [msgspec.structs.replace(q1.tests[0], status=status), *q1.tests[1:]]
            questions = {**verdict.questions, "q1": msgspec.structs.replace(q1, tests=tests)}
            verdict = msgspec.structs.replace(
                verdict, status=standing, message="no cells", questions=questions
            )
            yield msgspec.structs.replace(outcome, verdict=verdict)

    proof = verify("sound", masters, grade=troubled)
    assert got in row(proof, "mutant counts_all_cases").got
    assert not any(row.holds for row in proof.rows)
