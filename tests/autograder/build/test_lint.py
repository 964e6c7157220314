"""Each fixture is named for what is wrong with it; the error must say so, and where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autograder.build.compose import compose
from autograder.bundle import Checkpoint
from autograder.errors import BuildError

IN_THE_MASTER = [
    ("answer_without_marker", "q1", 6, "Nothing in this answer cell is marked"),
    ("async_test", "q1", 10, "test_half_found is async"),
    ("default_argument", "q1", 10, "default"),
    ("files_is_no_list", "", 1, "list of names"),
    ("function_without_marker", "q1", 6, "No line of specificity is marked"),
    ("generator_test", "q1", 10, "yield"),
    ("half_marked_statement", "q1", 6, "not Python; mark whole statements"),
    ("import_above_test", "q1", 10, "imports go inside"),
    ("marker_outside_solution_block", "", 13, "outside a solution block"),
    ("misspelt_marker", "q1", 6, "no such spelling"),
    ("nested_folder_published", "", 1, "list data"),
    ("no_config", "", None, "needs exactly one"),
    ("ok_format", "", 1, "ok_format: false"),
    ("points_do_not_sum", "q1", 3, "sum to 3 and the question has 5"),
    ("points_list_with_hidden_test", "q1", 3, "give each test its own points"),
    ("points_over_the_question", "q1", 3, "sum to 3 and the question has 2"),
    ("public_file_missing", "", 1, "cases.csv"),
    ("public_test_uses_reference", "q1", 9, "which students lack"),
    ("question_never_ended", "q1", 3, "never ended"),
    ("question_without_name", "", 3, "name:"),
    ("question_without_solution", "q1", 3, "no solution cell"),
    ("question_without_tests", "q1", 3, "neither tests nor"),
    ("quote_in_failure_message", "q1", 9, "double quote"),
    ("reserved_test_name", "q1", 10, "otter's test file uses itself"),
    ("rubric_points_do_not_sum", "q2", 13, "sum to 2 and the question has 3"),
    ("star_argument", "q1", 10, r"\*args"),
    ("test_is_not_python", "q1", 10, "not Python"),
    ("test_outside_question", "", 3, "outside any question"),
    ("two_functions_in_test_cell", "q1", 10, "drop the rest"),
    ("two_questions_of_one_name", "q1", 13, "begins in cell 3"),
    ("two_tests_of_one_name", "q1", 10, "Two tests are named test_all_found"),
    ("typed_threshold", "q1", 10, r"line 13 .* typed number, 0.8, in `share >= 0.8`"),
    ("unbalanced_marker", "q1", 6, "BEGIN SOLUTION without END SOLUTION"),
    ("unknown_config_key", "", None, "'file'"),
    ("unknown_question_key", "q1", 3, "'point'"),
    ("unknown_test_config_key", "q1", 10, "'timeout'"),
    ("weights_published", "", 1, "the instructor's"),
    ("written_without_rubric", "q2", 13, r"\[\[rubric.q2\]\]"),
    ("written_without_text", "q2", 13, "needs its text"),
]
IN_THE_RECIPE = [
    ("expected_file_missing", "model.safetensors does not exist"),
    ("helper_not_public", "triage.py is not among"),
    ("rubric_of_no_question", "no written question q2"),
    ("staged_file_missing", "reference_impl/nothing.py"),
    ("unknown_limit", "cell_secs"),
    ("unknown_recipe_key", "titel"),
]


@pytest.mark.parametrize(("name", "question", "cell", "text"), IN_THE_MASTER)
def test_error_names_notebook_question_and_cell(
    masters: Path, name: str, question: str, cell: int | None, text: str
) -> None:
    with pytest.raises(BuildError, match=text) as raised:
        compose(name, masters)
    error = raised.value
    assert error.notebook == f"solutions/{name}/{name}.ipynb"
    assert (error.question, error.cell) == (question, cell)
    places = [error.notebook, *([f"question {question}"] if question else [])]
    assert all(place in str(error) for place in places)


@pytest.mark.parametrize(("name", "text"), IN_THE_RECIPE)
def test_error_names_the_recipe(masters: Path, name: str, text: str) -> None:
    with pytest.raises(BuildError, match=text) as raised:
        compose(name, masters)
    assert raised.value.notebook == f"solutions/{name}/assignment.toml"


@pytest.mark.parametrize(
    ("requires", "text"),
    [
        ('q3 = ["q9"]', "requires.q3: the master has no autograded question q9"),
        ('q9 = ["q1"]', "requires.q9: the master has no autograded question q9"),
        ('q3 = ["q2"]', "requires.q3: the master has no autograded question q2"),
        ('q1 = ["q3"]', "requires.q1: q3 does not come before q1"),
        ('q3 = ["q3"]', "requires.q3: q3 does not come before q3"),
        ('q3 = ["q1"]\nq1 = ["q3"]', "requires.q1: q3 does not come before q1"),
    ],
)
def test_what_a_question_builds_on_is_an_earlier_question(
    project: Path, requires: str, text: str
) -> None:
    build_on(project, requires)
    with pytest.raises(BuildError, match=text) as raised:
        compose("sound", project)
    assert raised.value.notebook == "solutions/sound/assignment.toml"


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ('questions = ["q9"]', "the master has no question q9"),
        ('questions = ["q1"]\nfiles = ["x"]', "x is not among expected_files"),
        ('questions = ["q1"]\noptional = ["x"]', "x is not among expected_files"),
        ('questions = ["q1"]\nneeds = ["x"]', "x is not among expected_files"),
    ],
)
def test_a_milestone_consists_of_questions_and_expected_files(
    project: Path, table: str, text: str
) -> None:
    recipe = project / "solutions/sound/assignment.toml"
    recipe.write_text(f"{recipe.read_text()}\n[milestone.m1]\n{table}\n")
    with pytest.raises(BuildError, match=f"milestone.m1: {text}"):
        compose("sound", project)


@pytest.mark.parametrize("name", ["q2", "q9"])
def test_what_needs_the_ledger_is_a_question_with_tests(project: Path, name: str) -> None:
    recipe = project / "solutions/sound/assignment.toml"
    recipe.write_text(f'ledger = ["{name}"]\n{recipe.read_text()}')
    with pytest.raises(BuildError, match=f"ledger: the master has no autograded question {name}"):
        compose("sound", project)


def test_the_manifest_says_what_needs_the_ledger(project: Path) -> None:
    recipe = project / "solutions/sound/assignment.toml"
    recipe.write_text(f'ledger = ["q3"]\n{recipe.read_text()}')
    manifest = compose("sound", project).manifest
    assert [one.name for one in manifest.questions if one.ledger] == ["q3"]


def test_what_is_built_on_has_a_public_test(project: Path) -> None:
    master = project / "solutions/sound/sound.ipynb"
    notebook = json.loads(master.read_text())
    (shown,) = [c for c in notebook["cells"] if "def test_all_found" in "".join(c["source"])]
    shown["source"] = "".join(shown["source"]).replace("points: 1", "points: 1\nhidden: true")
    master.write_text(json.dumps(notebook))
    build_on(project, 'q3 = ["q1"]')
    with pytest.raises(BuildError, match="q1 has no public test"):
        compose("sound", project)


def test_the_manifest_says_what_a_question_builds_on(project: Path) -> None:
    build_on(project, 'q3 = ["q1"]')
    manifest = compose("sound", project).manifest
    assert manifest.requires == {"q3": ["q1"]} and manifest.questions[0].smoke_test == (
        "test_all_found"
    )


@pytest.mark.parametrize(
    ("file", "question", "tests", "credit", "text"),
    [
        ("other.safetensors", "q1", '["test_all_found"]', 0.8, "not among expected_files"),
        ("triage.safetensors", "q2", '["test_all_found"]', 0.8, "no autograded question q2"),
        ("triage.safetensors", "q1", '["test_threshold"]', 0.8, "q1 has no test test_threshold"),
        ("triage.safetensors", "q1", "[]", 0.8, "length >= 1"),
        ("triage.safetensors", "q1", '["test_all_found"]', 1.1, "<= 1"),
        ("triage.safetensors", "q1", '["test_all_found"]', -0.1, ">= 0"),
    ],
)
def test_a_checkpoint_names_an_expected_file_and_tests_that_rest_on_it(
    project: Path, file: str, question: str, tests: str, credit: float, text: str
) -> None:
    checkpoint(project, file, question, tests, credit)
    with pytest.raises(BuildError, match=text) as raised:
        compose("sound", project)
    assert raised.value.notebook == "solutions/sound/assignment.toml"


def test_the_manifest_says_what_rests_on_a_checkpoint(project: Path) -> None:
    checkpoint(project, "triage.safetensors", "q1", '["test_half_found"]', 0.5)
    assert compose("sound", project).manifest.checkpoints == [
        Checkpoint(file="triage.safetensors", question="q1", tests=["test_half_found"], credit=0.5)
    ]


def checkpoint(project: Path, file: str, question: str, tests: str, credit: float) -> None:
    recipe = project / "solutions/sound/assignment.toml"
    recipe.write_text(
        f'{recipe.read_text()}\n[checkpoint."{file}"]\nquestion = "{question}"\n'
        f"tests = {tests}\ncredit = {credit}\n"
    )


def build_on(project: Path, requires: str) -> None:
    recipe = project / "solutions/sound/assignment.toml"
    recipe.write_text(f"{recipe.read_text()}\n[requires]\n{requires}\n")


def test_every_faulty_fixture_is_tried(masters: Path) -> None:
    sound = {
        "answer_given_away",
        "fenced_cells",
        "lab",
        "solution_exits",
        "solution_fails",
        "sound",
    }
    leaking = {"answer_in_public_module", "hidden_test_named_in_text"}
    tried = {row[0] for row in IN_THE_MASTER} | {row[0] for row in IN_THE_RECIPE}
    assert {folder.name for folder in (masters / "solutions").iterdir()} == tried | sound | leaking


def test_assignment_that_does_not_exist(masters: Path) -> None:
    with pytest.raises(BuildError, match=r"no master notebook solutions/nothing/nothing\.ipynb"):
        compose("nothing", masters)


def test_course_configuration_takes_only_otters_keys(project: Path) -> None:
    (project / "otter_config.json").write_text('{"show_stdoot": true}')
    with pytest.raises(BuildError, match=r"otter_config\.json.*show_stdoot"):
        compose("sound", project)


def test_broken_test_file_is_caught_whatever_broke_it(
    masters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from otter.assign import tests_manager

    template = tests_manager.EXCEPTION_BASED_TEST_FILE_TEMPLATE
    monkeypatch.setattr(template, "render", lambda **_: "name = 'q1'\npoints = (")
    with pytest.raises(BuildError, match=r"question q1.*does not load: SyntaxError"):
        compose("sound", masters)


def test_test_dropped_by_otter_is_caught(masters: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from otter.assign import tests_manager

    template = tests_manager.EXCEPTION_BASED_TEST_FILE_TEMPLATE
    monkeypatch.setattr(template, "render", lambda **_: "name = 'q1'\npoints = 3")
    with pytest.raises(BuildError, match=r"question q1.*other tests than the master \(none\)"):
        compose("sound", masters)


@pytest.mark.parametrize(
    ("old", "new", "cell", "text"),
    [
        ("points: 0", "points: 1", 3, "needs `points: 0`"),
        ("\npoints: 0", "", 3, "needs `points: 0`"),
        ("points: 0", "points: [0]", 3, "needs `points: 0`"),
        ("def test_half", "# HIDDEN\ndef test_half", 9, "test_half_of_four is hidden"),
    ],
)
def test_a_lab_has_self_checks_only(
    project: Path, old: str, new: str, cell: int, text: str
) -> None:
    master = project / "solutions/lab/lab.ipynb"
    notebook = json.loads(master.read_text())
    changed = notebook["cells"][cell - 1]
    source = "".join(changed["source"])
    assert old in source
    changed["source"] = source.replace(old, new)
    master.write_text(json.dumps(notebook))
    with pytest.raises(BuildError, match=f"{text}.*self-checks only") as raised:
        compose("lab", project)
    assert (raised.value.question, raised.value.cell) == ("q1", cell)


def test_a_lab_has_no_written_question(project: Path) -> None:
    master = project / "solutions/lab/lab.ipynb"
    master.write_text(master.read_text().replace("points: 0", "manual: true\\npoints: 0"))
    with pytest.raises(BuildError, match=r"q1.*`manual: true`.*self-checks only"):
        compose("lab", project)


@pytest.mark.parametrize(
    ("key", "table"),
    [
        ("expected_files", 'expected_files = ["assignment.toml"]'),
        ("feedback", '[feedback]\nhidden = "visible"'),
        ("rubric", '[[rubric.q1]]\ntext = "Says how"\npoints = 0'),
        ("requires", '[requires]\nq1 = ["q1"]'),
        ("ledger", 'ledger = ["q1"]'),
        ("milestone", '[milestone.m1]\nquestions = ["q1"]'),
        ("checkpoint", '[checkpoint."x"]\nquestion = "q1"\ntests = ["t"]\ncredit = 0'),
    ],
)
def test_of_a_lab_nothing_is_handed_in(project: Path, key: str, table: str) -> None:
    recipe = project / "solutions/lab/assignment.toml"
    recipe.write_text(f"{recipe.read_text()}{table}\n")
    with pytest.raises(BuildError, match=f"{key}: .*self-checks only") as raised:
        compose("lab", project)
    assert raised.value.notebook == "solutions/lab/assignment.toml"
