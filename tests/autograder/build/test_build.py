"""What a build writes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autograder.build import build, labs, names
from autograder.build.assign import read_tree
from autograder.build.compose import Built, compose
from autograder.build.publish import publish
from autograder.build.sources import Sources
from autograder.bundle import Bundle, Visibility, sha256
from autograder.errors import BuildError

ROOT = Path(__file__).parents[3]
BUILD = """
import sys
from pathlib import Path
from autograder.build import build
build("sound", Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def built(masters: Path) -> Built:
    return compose("sound", masters)


def test_students_get_notebook_public_files_and_papers(built: Built) -> None:
    assert list(built.assignment) == [
        "README.md",
        "coursekit.py",
        "data/cases.csv",
        "requirements.txt",
        "sound.ipynb",
        "triage.py",
    ]
    assert built.assignment["README.md"].startswith(b"# Sound\n")


def test_student_notebook_holds_gaps_and_public_tests(built: Built) -> None:
    notebook = json.loads(built.student_notebook)
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    assert any(source.endswith("    ...") for source in sources)
    assert "threshold = ..." in sources
    tests = notebook["metadata"]["otter"]["tests"]
    assert "test_all_found" in tests["q1"]
    assert "test_half_found" not in built.student_notebook.decode()


def test_answer_cells_name_their_question(built: Built) -> None:
    cells = json.loads(built.student_notebook)["cells"]
    answers = [c for c in cells if "otter_answer_cell" in c["metadata"].get("tags", [])]
    assert [cell["metadata"]["question"] for cell in answers] == ["q1", "q2", "q3"]


def test_manifest_tells_what_otter_loses(built: Built) -> None:
    manifest = built.manifest
    q1, q2, q3 = manifest.questions
    assert [(t.name, t.points, t.hidden, t.label) for t in q1.tests] == [
        ("test_all_found", 1.0, False, "Every positive found"),
        ("test_half_found", 2.0, True, "One of two positives missed"),
    ]
    assert (q1.points, q3.points, manifest.possible) == (3.0, 1.0, 4.0)
    assert q2.written and q2.points == 2.0 and len(q2.rubric) == 1
    assert q2.prompt == "**Question 2.** What harm does a missed positive do?"
    assert manifest.expected_files == ["triage.safetensors"]
    assert manifest.helpers == ["triage"]
    assert manifest.public_files == ["coursekit.py", "data/cases.csv", "triage.py"]
    assert manifest.limits.cell_seconds == 20
    assert manifest.hashes["assignments/sound/sound.ipynb"] == sha256(built.student_notebook)


def test_hidden_outcomes_are_shown_only_if_the_recipe_says_so(built: Built, project: Path) -> None:
    assert built.manifest.hidden_feedback is Visibility.HIDDEN
    recipe = project / "solutions/sound/assignment.toml"
    for value in Visibility:
        recipe.write_text(f'title = "Sound"\n[feedback]\nhidden = "{value}"\n')
        assert Sources.read("sound", project).hidden_feedback is value


def test_manifest_has_the_recipes_feedback_and_the_tests_failure_messages(project: Path) -> None:
    recipe = project / "solutions/sound/assignment.toml"
    text = recipe.read_text().replace(
        "[limits]", '[feedback]\nhidden = "after_due_date"\n\n[limits]'
    )
    recipe.write_text(text)
    master = project / "solutions/sound/sound.ipynb"
    config = '"points: 2\\n",\n    "failure_message: Count the missed ones.\\n",'
    changed = master.read_text().replace('"hidden: true\\n",\n    "points: 2\\n",',
                                         f'"hidden: true\\n",\n    {config}')  # fmt: skip
    assert changed != master.read_text()
    master.write_text(changed)
    manifest = build("sound", project).manifest
    assert manifest.hidden_feedback is Visibility.AFTER_DUE_DATE
    messages = [test.failure_message for test in manifest.questions[0].tests]
    assert messages == ["", "Count the missed ones."]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('hidden = "later"', "feedback: hidden = 'later' is none of hidden, after_due_date, "
                             "after_published, visible."),
        ('public = "hidden"', "feedback: no such key: public (there is hidden)."),
        ("hidden = true", "Expected `str`, got `bool`"),
    ],
)  # fmt: skip
def test_feedback_that_makes_no_sense_is_one_clear_error(
    project: Path, line: str, says: str
) -> None:
    recipe = project / "solutions/sound/assignment.toml"
    recipe.write_text(f'title = "Sound"\n[feedback]\n{line}\n')
    with pytest.raises(BuildError) as caught:
        Sources.read("sound", project)
    assert str(caught.value).startswith("solutions/sound/assignment.toml: ")
    assert says in str(caught.value)


def test_solution_notebook_has_solutions_and_no_hidden_test(built: Built) -> None:
    text = built.solution_notebook.decode()
    assert "return found / max(1, sum(labels))" in text
    assert "test_half_found" not in text


def test_config_and_questions_may_be_fenced_in_markdown(masters: Path) -> None:
    fenced = compose("fenced_cells", masters)
    text = fenced.student_notebook.decode()
    assert [question.name for question in fenced.manifest.questions] == ["q1"]
    assert "Welcome." in text and "```otter" not in text
    assert fenced.assignment == compose("fenced_cells", masters).assignment


def test_expected_files_are_exported(built: Built) -> None:
    assert "files=['triage.safetensors']" in built.student_notebook.decode()


def test_build_writes_a_bundle_that_opens(project: Path) -> None:
    bundle = build("sound", project)
    assert bundle.folder == project / "dist" / "sound"
    assert isinstance(bundle, Bundle)
    assert sorted(read_tree(bundle.folder)) == ["manifest.json", "sound-autograder.zip"]
    assert "sound" in names(project)


def test_a_lab_is_published_with_nothing_to_hand_in(masters: Path) -> None:
    built = compose("lab", masters)
    assert sorted(built.assignment) == [
        "README.md", "coursekit.py", "lab.ipynb", "requirements.txt",
    ]  # fmt: skip
    notebook = built.student_notebook.decode()
    assert "grader.export" not in notebook and "handin" not in notebook
    assert 'grader.check(\\"q1\\")' in notebook and "return x / 2" not in notebook
    assert "nothing is handed in" in built.assignment["README.md"].decode()
    assert built.manifest.ungraded and built.manifest.possible == 0


def test_labs_are_the_ungraded_ones(project: Path) -> None:
    for folder in (project / "solutions").iterdir():
        if folder.name not in {"lab", "sound"}:
            shutil.rmtree(folder)
    assert (names(project), labs(project)) == (["lab", "sound"], ["lab"])


def test_autograder_zip_has_reference_and_course_configuration(project: Path) -> None:
    with zipfile.ZipFile(build("sound", project).otter_zip) as archive:
        found = archive.namelist()
        config = json.loads(archive.read("otter_config.json"))
        environment = archive.read("environment.yml").decode()
    assert "files/reference_impl/sound/metrics.py" in found
    hidden = ("mutants", "panel", "private")
    assert not any(part in name for name in found for part in hidden)
    assert not any(name.endswith((".safetensors", ".pyc")) for name in found)
    assert config["show_hidden"] is False
    assert "otter-grader[grading,plugins]" in environment
    assert "- torch" in environment


def test_master_overrides_the_course_configuration(project: Path) -> None:
    master = project / "solutions/sound/sound.ipynb"
    text = master.read_text()
    changed = text.replace(
        '"tests:\\n",', '"generate:\\n",\n    "  show_hidden: true\\n",\n    "tests:\\n",'
    )
    assert changed != text
    master.write_text(changed)
    with zipfile.ZipFile(build("sound", project).otter_zip) as archive:
        config = json.loads(archive.read("otter_config.json"))
    assert (config["show_hidden"], config["show_stdout"]) == (True, False)


def test_same_bytes_at_any_time_in_any_folder_under_any_hash_seed(
    project: Path, tmp_path: Path
) -> None:
    elsewhere, scratch = tmp_path / "quite" / "elsewhere", tmp_path / "scratch"
    shutil.copytree(project, elsewhere)
    scratch.mkdir()
    env = {**os.environ, "PYTHONHASHSEED": "7", "TMPDIR": str(scratch), "TZ": "UTC-9"}
    command = [sys.executable, "-c", BUILD, str(elsewhere)]
    subprocess.run(command, cwd=scratch, env={**env, "PYTHONPATH": str(ROOT)}, check=True)
    build("sound", project)
    for folder, count in (("assignments", 6), ("dist", 2)):
        first, second = read_tree(project / folder), read_tree(elsewhere / folder)
        assert len(first) == count
        assert first == second
    assert not list(scratch.iterdir()), "hidden tests were left behind"


def test_failed_build_leaves_the_previous_output(project: Path) -> None:
    build("sound", project)
    before = [read_tree(project / folder) for folder in ("assignments", "dist")]
    recipe = project / "solutions/sound/assignment.toml"
    recipe.write_text(recipe.read_text().replace("points = 2", "points = 1"))
    with pytest.raises(BuildError):
        build("sound", project)
    assert [read_tree(project / folder) for folder in ("assignments", "dist")] == before


def test_build_replaces_what_is_no_longer_made(project: Path) -> None:
    (project / "assignments/sound").mkdir(parents=True)
    (project / "assignments/sound/stale.txt").write_text("from an earlier build")
    build("sound", project)
    assert not (project / "assignments/sound/stale.txt").exists()
    assert {p.name for p in (project / "assignments").iterdir()} == {"sound"}


def test_disk_that_fills_up_while_publishing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    publish({one: {"a": b"old"}, two: {"b": b"old"}})
    rename = Path.rename

    def fail_at_two(self: Path, target: Path) -> Path:
        if self.name == ".two.new":
            raise OSError("No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_at_two)
    with pytest.raises(OSError, match="No space left"):
        publish({one: {"a": b"new"}, two: {"b": b"new"}})
    assert read_tree(tmp_path) == {"one/a": b"old", "two/b": b"old"}


def test_building_leaves_the_process_where_it_was(project: Path) -> None:
    before = os.getcwd()
    with pytest.raises(BuildError, match="unknown_config_key"):
        build("unknown_config_key", project)
    assert os.getcwd() == before


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, autograder.build; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert not {"otter", "nbformat", "torch", "numpy", "yaml", "IPython"} & set(run.stdout.split())


def test_plain_otter_gives_the_solution_full_marks(project: Path, tmp_path: Path) -> None:
    bundle = build("sound", project)
    notebook = tmp_path / "sound.ipynb"
    notebook.write_bytes(compose("sound", project).solution_notebook)
    code = (
        "import sys; from otter.api import grade_submission as g;"
        "r = g(sys.argv[1], sys.argv[2], quiet=True); print(r.total, r.possible)"
    )
    command = [sys.executable, "-c", code, str(notebook), str(bundle.otter_zip)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True)
    assert run.stdout.split() == ["4.0", "4.0"]
