import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from autograder.bundle import Manifest, Question, TestEntry
from autograder.demo import DemoClass, Role, demo_class
from autograder.demo.check import faults
from autograder.demo.edits import Pair, changed_question
from autograder.gradebook import parse
from autograder.intake import Intake, intake
from autograder.model import QuestionVerdict, Standing, Status, TestVerdict, Verdict
from autograder.notebook import code_sources, read

QUESTIONS = ["q1", "q2", "q3", "q4", "q5", "q6"]
MANIFEST = Manifest(name="tiny", title="A tiny one", notebook="tiny.ipynb", otter_zip="x.zip",
                    questions=[Question(name=name, points=2) for name in QUESTIONS],
                    expected_files=["tiny.safetensors"])  # fmt: skip


def cell(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [],
            "execution_count": None}  # fmt: skip


def notebook(answer: str) -> bytes:
    cells = [cell("import otter\ngrader = otter.Notebook('tiny.ipynb')")]
    for number, name in enumerate(QUESTIONS, 1):
        # q2's function is used in q3, so nobody should break q2.
        use = "print(two(3))" if name == "q3" else "# nothing"
        word = ["one", "two", "three", "four", "five", "six"][number - 1]
        cells += [cell(use), cell(f"def {word}(x):\n    {answer.format(number)}"),
                  cell(f'grader.check("{name}")')]  # fmt: skip
    return json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}).encode()


SOLUTION, STUDENT = notebook("return x + {}"), notebook("...")
WEIGHTS = {"tiny.safetensors": b"weights"}


def mutant(question: str) -> bytes:
    found = json.loads(SOLUTION)
    sources = [one["source"] for one in found["cells"]]
    found["cells"].insert(sources.index(f'grader.check("{question}")'), cell("wrong = True"))
    return json.dumps(found).encode()


@pytest.fixture(scope="module")
def demo() -> DemoClass:
    mutants = {f"m{q}": mutant(q) for q in QUESTIONS}
    return demo_class(SOLUTION, STUDENT, WEIGHTS, mutants, MANIFEST)


@pytest.fixture(scope="module")
def taken(demo: DemoClass, tmp_path_factory: pytest.TempPathFactory) -> Intake:
    folder = tmp_path_factory.mktemp("demo")
    demo.write(folder)
    roster = parse((folder / "gradebook.csv").read_bytes()).students
    return intake([folder / "submissions.zip"], roster, MANIFEST)


def sources_of(demo: DemoClass, what: str) -> list[str]:
    role = next(role for role in demo.roles if role.what.startswith(what))
    return code_sources(read(role.files["tiny.ipynb"]))


def test_intake_finds_in_the_class_what_its_table_says(demo: DemoClass, taken: Intake) -> None:
    found = {
        one.student.name: "unreadable" if one.problem else "graded" for one in taken.submissions
    }
    found |= {student.name: "missing" for student in taken.missing}
    assert all("haugen" in one.source for one in taken.unmatched)
    found["Haugen, Ingrid"] = "unmatched" if taken.unmatched else "lost"
    assert found == {role.name: role.standing for role in demo.roles}


def test_late_marks_attempts_and_files_arrive(demo: DemoClass, taken: Intake) -> None:
    by_name = {one.student.name: one for one in taken.submissions}
    for role in demo.roles:
        if role.name in by_name:
            one = by_name[role.name]
            assert (one.late, one.attempt) == (role.late, role.attempt), role.what
    assert by_name["Reyes, Camila"].files == WEIGHTS
    assert by_name["Kowalska, Zofia"].files == WEIGHTS
    assert by_name["Kowalska, Zofia"].notebook == by_name["Reyes, Camila"].notebook


def test_the_class_is_as_diverse_as_promised(demo: DemoClass) -> None:
    assert len(demo.roles) >= 17 and len({role.what for role in demo.roles}) == len(demo.roles)
    assert len({role.student.id for role in demo.roles}) == len(demo.roles)
    assert sum(role.what.startswith("mutant") for role in demo.roles) == 2


def test_the_partial_ones_have_the_stub_where_they_lose(demo: DemoClass) -> None:
    role = next(role for role in demo.roles if role.what.startswith("partial: the end"))
    assert role.loses == ["q5", "q6"]
    cells = sources_of(demo, "partial: the end")
    assert "def six(x):\n    ..." in cells and "def four(x):\n    return x + 4" in cells


@pytest.mark.parametrize(
    ("what", "sign"), [("endless loop", "while True"), ("sys.exit", "sys.exit("),
                       ("syntax error", "def broken(:")]
)  # fmt: skip
def test_an_accident_is_in_a_question_that_no_other_needs(
    demo: DemoClass, what: str, sign: str
) -> None:
    role = next(role for role in demo.roles if role.what.startswith(what))
    assert role.loses is not None and role.loses != ["q2"]
    assert changed_question(SOLUTION, role.files["tiny.ipynb"]) == role.loses[0]
    assert sum(sign in source for source in sources_of(demo, what)) == 1


def test_a_question_that_later_code_needs_is_not_alone() -> None:
    assert Pair(SOLUTION, STUDENT).alone() == ["q6", "q5", "q4", "q3", "q1"]


def test_each_accident_has_a_question_of_its_own(demo: DemoClass) -> None:
    lost = [role.loses for role in demo.roles if role.what in {"endless loop", "syntax error"}]
    assert lost[0] != lost[1]


def test_a_mutant_loses_the_question_it_changes(demo: DemoClass) -> None:
    for role in demo.roles:
        if role.what.startswith("mutant"):
            assert role.what.endswith(str((role.loses or [""])[0]))


@pytest.mark.parametrize("what", ["forging", "looking"])
def test_attacks_stand_before_every_check_and_are_python(demo: DemoClass, what: str) -> None:
    cells = sources_of(demo, what)
    for name in QUESTIONS:
        before = cells[cells.index(f'grader.check("{name}")') - 1]
        assert before.startswith("NAMES = ['")
        compile(before, name, "exec")
    assert not any("return x" in one for one in cells if one.startswith("def "))


def test_the_archive_is_flat_and_the_same_every_time(demo: DemoClass) -> None:
    names = zipfile.ZipFile(BytesIO(demo.submissions)).namelist()
    assert not any("/" in name for name in names)
    assert any(name.startswith("शर्माप्रिया_LATE_") for name in names)
    again = demo_class(
        SOLUTION, STUDENT, WEIGHTS, {f"m{q}": mutant(q) for q in QUESTIONS}, MANIFEST
    )
    assert again == demo


def test_the_gradebook_has_what_readers_stumble_over(demo: DemoClass) -> None:
    lines = demo.gradebook.decode().splitlines()
    assert "Manual Posting" in lines[1] and lines[2].startswith("    Points Possible,")
    assert lines[-1].startswith('"Student, Test"')
    book = parse(demo.gradebook)
    assert [column.header for column in book.columns][-1] == demo.column
    assert book.columns[-1].points == "12.00" and "Haugen" not in demo.gradebook.decode()


def test_the_table_is_written_beside_the_files(demo: DemoClass, tmp_path: Path) -> None:
    demo.write(tmp_path)
    table = json.loads((tmp_path / "expected.json").read_bytes())
    assert {row["id"] for row in table} == {role.student.id for role in demo.roles}
    assert all(row["expect"] for row in table)


def test_notebooks_without_the_same_check_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="check cells"):
        Pair(SOLUTION, json.dumps({**json.loads(STUDENT), "cells": []}).encode())


# The small class.


def entries(*names: str) -> list[TestEntry]:
    return [TestEntry(name=name, points=1, hidden=name != "test_smoke") for name in names]


SMALL = replace(
    MANIFEST,
    questions=[
        Question(name=name, points=2, tests=entries("test_smoke", "test_more"), requires=wanted)
        for name, wanted in [("q1", []), ("q2", []), ("q3", ["q2"]), ("q4", ["q3"]), ("q5", []),
                             ("q6", [])]
    ],
)  # fmt: skip


def small(manifest: Manifest = SMALL) -> dict[str, Role]:
    mutants = {f"m{q}": mutant(q) for q in ["q2", "q5", "q6"]}
    made = demo_class(SOLUTION, STUDENT, WEIGHTS, mutants, manifest, full=False)
    return {role.what: role for role in made.roles}


def test_the_small_class_has_one_of_each_kind() -> None:
    assert list(small()) == [
        "perfect", "untouched", "mutant: mq5", "failed smoke test", "forging a score"
    ]  # fmt: skip
    plain = replace(MANIFEST, expected_files=[])
    assert list(small(plain)) == ["perfect", "untouched", "mutant: mq2", "forging a score"]


def test_a_broken_smoke_test_skips_what_builds_on_it_and_breaks_nothing_else() -> None:
    role = small()["failed smoke test"]
    assert (role.loses, role.skipped) == (["q2", "q3", "q4"], ["q3", "q4"])
    cells = code_sources(read(role.files["tiny.ipynb"]))
    check = cells.index('grader.check("q2")')
    names: dict[str, object] = {}
    for source in cells[:check]:
        exec("" if "grader" in source else source, names)
    with pytest.raises(ValueError, match="broken on purpose"):
        names["two"](1)  # type: ignore[operator]
    exec(cells[check + 1], names)
    assert names["two"](1) == 3  # type: ignore[operator]


def case(status: Status, points: float) -> QuestionVerdict:
    test = TestVerdict(name="test_more", status=status, points=points, possible=2, hidden=True)
    return QuestionVerdict(score=points, possible=2, tests=[test])


@pytest.mark.parametrize(
    ("expected", "fault"),
    [
        ({"skipped": ["q2"]}, ""),
        ({"skipped": []}, "was skipped in ['q2'], not in []"),
        ({"skipped": ["q1", "q2"]}, "was skipped in ['q2'], not in ['q1', 'q2']"),
        ({"score": 2.0}, ""),
        ({"score": 1.9}, "has 2 points, not 1.9"),
        ({"loses": ["q2"]}, ""),
        ({"loses": []}, "lost points in ['q2'], not in []"),
    ],
)
def test_what_a_role_should_get_is_compared_with_its_verdict(
    expected: dict[str, Any], fault: str
) -> None:
    role = Role(name="Lovelace, Ada", login="a", what="one", expect="", **expected)
    verdict = Verdict(
        student=role.student.id, name=role.name, assignment="tiny", status=Standing.GRADED,
        score=2, possible=4, isolation="A", seconds=1,
        questions={"q1": case(Status.PASSED, 2), "q2": case(Status.SKIPPED, 0)},
    )  # fmt: skip
    assert faults([role], [verdict]) == {"one": fault}


def test_every_assignment_is_shown_and_one_fault_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from autograder.demo import run as command

    seen = []

    def one(project: Path, out: Path, name: str) -> bool:
        seen.append((out.name, name))
        return name != "b"

    monkeypatch.setattr(command, "_run", one)
    assert not command.run(tmp_path, tmp_path, ["a", "b", "c"])
    assert seen == [("a", "a"), ("b", "b"), ("c", "c")]
    assert command.run(tmp_path, tmp_path, ["a", "c"])
