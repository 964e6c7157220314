"""Other right answers stand in place of the solution's, and full marks are what they must get."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.build import names
from autograder.build.compose import Built, compose
from autograder.build.panel import Member, read_panel
from autograder.build.sources import Sources
from autograder.build.verify import verify
from autograder.bundle import Bundle
from autograder.errors import BuildError
from autograder.model import Outcome, Submission

ROOT = Path(__file__).parents[3]
SUBJECT = "panel sets_of_places"
ANSWER = "def sensitivity(labels, predictions):"


@pytest.fixture(scope="module")
def built(masters: Path) -> Built:
    return compose("sound", masters)


@pytest.fixture
def member(masters: Path, built: Built) -> Member:
    (found,) = read_panel(masters / "reference_impl/sound/panel", built.manifest)
    return found


@pytest.fixture
def file(project: Path) -> Path:
    return project / "reference_impl/sound/panel/sets_of_places.py"


def sources(notebook: bytes) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(notebook)["cells"]]


def with_checkpoint(project: Path) -> None:
    recipe = project / "solutions/sound/assignment.toml"
    table = 'question = "q1"\ntests = ["test_half_found"]\ncredit = 0.5\n'
    recipe.write_text(f'{recipe.read_text()}\n[checkpoint."triage.safetensors"]\n{table}')


def test_answers_stand_in_place_of_the_solutions_cells(built: Built, member: Member) -> None:
    before, after = (
        sources(built.solution_notebook),
        sources(member.insert(built.solution_notebook)),
    )
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    (q1, other_q1), (q3, other_q3) = changed
    assert q1.startswith(ANSWER) and "found = sum(" in q1
    assert other_q1.startswith("places = lambda") and ANSWER in other_q1
    assert (q3, other_q3) == ("threshold = 0.5 # SOLUTION", "threshold = 1 / 2")


def test_cell_after_which_otter_checks_keeps_its_mark(built: Built, member: Member) -> None:
    cells = json.loads(member.insert(built.solution_notebook))["cells"]
    (marked,) = (c for c in cells if "q3" in c["metadata"].get("otter", {}).get("tests", []))
    assert "".join(marked["source"]) == "threshold = 1 / 2"


def test_cells_take_places_in_order_and_the_solutions_others_go(built: Built) -> None:
    notebook = json.loads(built.solution_notebook)
    place = next(i for i, c in enumerate(notebook["cells"]) if ANSWER in "".join(c["source"]))
    first = notebook["cells"][place]
    more = [{**first, "id": f"more-{n}", "source": f"helper = {n}"} for n in (1, 2)]
    notebook["cells"][place + 1 : place + 1] = more
    member = Member("m", "two cells for three", False, {"q1": ["first = 1", "second = 2"]})
    found = sources(member.insert(json.dumps(notebook).encode()))
    assert found[place : place + 2] == ["first = 1", "second = 2"]
    assert not any(ANSWER in source or "helper" in source for source in found)
    member = Member("m", "too many cells", False, {"q1": list("abcd")})
    with pytest.raises(BuildError, match=r"panel/m\.py, question q1: It has 4 cells .* edit 3"):
        member.insert(json.dumps(notebook).encode())


def test_right_answer_of_another_kind_gets_full_marks(masters: Path, plain_grade: Any) -> None:
    (row,) = verify("sound", masters, grade=plain_grade, only=[SUBJECT]).rows
    assert row.holds
    assert row.got == "all 4 points: Sets of places in place of a loop over pairs."


def test_test_that_wants_the_solutions_habits_is_found(
    project: Path, plain_grade: Any, file: Path
) -> None:
    file.write_text(file.read_text().replace("1 / 2", "'1/2'"))
    (row,) = verify("sound", project, grade=plain_grade, only=[SUBJECT]).rows
    assert not row.holds and row.got.startswith("q3 0/1: test_threshold failed")


def test_helper_of_the_solution_is_not_there_for_a_member(
    project: Path, plain_grade: Any, file: Path
) -> None:
    file.write_text(file.read_text().replace("places = lambda", "spots = lambda"))
    (row,) = verify("sound", project, grade=plain_grade, only=[SUBJECT]).rows
    assert "NameError" in row.got


def test_a_number_of_members_is_spread_over_the_panel(
    project: Path, plain_grade: Any, file: Path
) -> None:
    for name in ("another", "third"):
        (file.parent / f"{name}.py").write_text(file.read_text())
    proof = verify("sound", project, grade=plain_grade, panel=1, mutants=1)
    subjects = [row.subject for row in proof.rows]
    assert subjects[2:] == ["panel another", "mutant counts_all_cases"]


@pytest.mark.parametrize("trained", [True, False])
def test_member_with_another_network_hands_in_no_weights(
    project: Path, plain_grade: Any, file: Path, trained: bool
) -> None:
    with_checkpoint(project)
    if trained:
        file.write_text(file.read_text().replace("pairs.", "pairs.\n\nweights: trained\n", 1))
    given = []

    def look(bundle: Bundle, subs: Iterable[Submission], settings: object) -> Iterator[Outcome]:
        subs = list(subs)
        given.extend(sorted(sub.files) for sub in subs)
        return plain_grade(bundle, subs, settings)

    (row,) = verify("sound", project, grade=look, only=[SUBJECT]).rows
    assert given == [[] if trained else ["triage.safetensors"]]
    assert row.expected.startswith("3 points without weights" if trained else "all 4 points")
    # the stand-in knows no missing files: it gives full points, which is too much without them
    assert row.holds is not trained


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('"""Sets of places in place of a loop over pairs."""', "", "needs a first line"),
        ("pairs.", "pairs.\n\ncaught_by: test_x\n", "may only say `weights: handed in` or"),
        ("pairs.", "pairs.\n\nweights: borrowed\n", "may only say `weights: handed in` or"),
        ("# %% q1", "", "code before its first cell"),
        ("# %% q3", "# %% q2", "`# %% q2`: there is no autograded question q2"),
        ("threshold = 1 / 2", "", "question q3: The cell is empty"),
        ("threshold = 1 / 2", "threshold = (", "not Python"),
    ],
)
def test_member_that_cannot_be_read(
    project: Path, file: Path, old: str, new: str, text: str
) -> None:
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(BuildError, match=rf"panel/sets_of_places\.py.*{text}"):
        verify("sound", project, grade=lambda *_: iter(()))


def test_member_that_answers_nothing(project: Path, file: Path) -> None:
    file.write_text('"""Nothing."""\n')
    with pytest.raises(BuildError, match="It answers nothing"):
        verify("sound", project, grade=lambda *_: iter(()))


PANELS = [name for name in names(ROOT) if Sources.read(name, ROOT).panel.is_dir()]


@pytest.mark.parametrize("name", PANELS)
def test_panel_of_an_assignment_is_large_and_answers_every_question(name: str) -> None:
    built = compose(name, ROOT)
    members = read_panel(Sources.read(name, ROOT).panel, built.manifest)
    assert len({member.title for member in members}) == len(members) >= 12
    solution = set(sources(built.solution_notebook))
    for question in built.manifest.autograded:
        answers = {
            "\n".join(member.answers[question.name])
            for member in members
            if question.name in member.answers
        }
        assert len(answers) >= 3, question.name
        assert not answers & solution
    for member in members:
        member.insert(built.solution_notebook)
