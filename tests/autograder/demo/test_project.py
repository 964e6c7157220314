import json
from pathlib import Path

import pytest

from autograder.build.sources import Sources
from autograder.bundle import Manifest
from autograder.demo.project import COLUMNS, ProjectClass, gradebook_csv, groups_csv
from autograder.gradebook import parse
from autograder.intake import intake
from autograder.teams import read

PROJECT = Path(__file__).parents[3]
SOURCES = PROJECT / "solutions" / "final_project"
FILES = ["prereg.json", "deviations.json", "results.json", "predict.py", "model.safetensors"]


@pytest.fixture
def cast(monkeypatch: pytest.MonkeyPatch) -> ProjectClass:
    """The class, but that the leaking team has trained nothing."""
    monkeypatch.setattr(ProjectClass, "_leaky", lambda self, files: files)
    notebook = (PROJECT / "assignments/final_project/final_project.ipynb").read_bytes()
    return ProjectClass(
        SOURCES, PROJECT / "assignments" / "final_project", ("final_project.ipynb", notebook), FILES
    )


def test_audits_are_graded_with_a_ledger_alone() -> None:
    assert Sources.read("final_project", PROJECT).recipe.ledger == ["p4"]


def test_each_team_hands_in_once_and_is_found_by_the_groups(
    cast: ProjectClass, tmp_path: Path
) -> None:
    book = parse(gradebook_csv(cast.roles, dict.fromkeys(COLUMNS, 1.0)))
    assert [column.header for column in book.columns] == list(COLUMNS.values())
    alone = [one.what for one in cast.teams if not one.team]
    (tmp_path / "groups.csv").write_bytes(groups_csv(cast.roles, alone))
    teams = read(tmp_path / "groups.csv", book.students)
    assert {team.name: len(team.members) for team in teams} == {
        "Aurora": 2, "Basalt": 1, "Cobalt": 3, "Dune": 1,
    }  # fmt: skip
    (tmp_path / "s.zip").write_bytes(cast.hand_in())
    manifest = Manifest(name="final_project", title="P", notebook="final_project.ipynb",
                        otter_zip="x.zip", questions=[], expected_files=FILES)  # fmt: skip
    found = intake([tmp_path / "s.zip"], book.students, manifest, teams)
    assert sorted(one.team for one in found.submissions) == ["Aurora", "Basalt", "Cobalt", "Dune"]
    assert [student.name for student in found.missing] == ["Tanaka, Yuki"]
    assert all(sorted(one.files) == sorted(FILES) for one in found.submissions)


def test_what_teams_did_is_in_their_files(cast: ProjectClass) -> None:
    sample = json.loads((SOURCES / "results.json").read_text("utf-8"))
    results = {team: json.loads(files["results.json"]) for team, files in cast.files.items()}
    assert results["Aurora"]["success"] == results["Dune"]["success"] != sample["success"]
    declared = {
        team: json.loads(files["deviations.json"])["deviations"]
        for team, files in cast.files.items()
    }
    assert [one["what"] for one in declared["Aurora"]] == ["success"] and not declared["Dune"]
    assert results["Cobalt"]["model"]["mean"] < sample["model"]["mean"] - 0.2
