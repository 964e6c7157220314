from pathlib import Path

import pytest

from autograder.errors import IntakeError
from autograder.model import Student
from autograder.teams import Team, parties, read

ADA = Student(id="101", name="Lovelace, Ada", login="ada", sis_id="S-1")
BOB = Student(id="102", name="Müller, Jürgen", login="bob@uni.edu", sis_id="S-2")
EVE = Student(id="103", name="王, 小明", login="eve")
ROSTER = [ADA, BOB, EVE]
HEADER = "name,canvas_user_id,user_id,login_id,sections,group_name\n"


def groups(tmp_path: Path, text: str) -> list[Team]:
    (tmp_path / "groups.csv").write_text(text, "utf-8")
    return read(tmp_path / "groups.csv", ROSTER)


def test_people_are_found_by_any_of_their_names(tmp_path: Path) -> None:
    text = HEADER + "x,103,,,A,Blue\nx,,S-1,,A,Red\nx,,,BOB@uni.edu,A, Blue \n"
    found = {team.name: [one.name for one in team.members] for team in groups(tmp_path, text)}
    assert found == {"Blue": [BOB.name, EVE.name], "Red": [ADA.name]}


def test_a_team_is_known_by_its_first_member_in_the_roster(tmp_path: Path) -> None:
    (team,) = groups(tmp_path, HEADER + "x,103,,,A,Blue\nx,101,,,A,Blue\n")
    assert team.key == ADA.key


def test_who_is_in_no_team_works_alone(tmp_path: Path) -> None:
    teams = groups(tmp_path, HEADER + "x,103,,,A,Blue\nx,101,,,A,Blue\nx,102,,,A,\n")
    assert [(one.name, [m.id for m in one.members]) for one in parties(ROSTER, teams)] == [
        ("Blue", ["101", "103"]),
        ("", ["102"]),
    ]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("x,101,,,A,Blue\nx,101,,,A,Red\n", "row 3: Lovelace, Ada is in two teams, 'Blue' and"),
        ("x,101,,,A,Blue\nx,102,,,A,BLUE\n", "'Blue' and 'BLUE' have one name but for letter case"),
        ("x,999,,,A,Blue\n", "row 2: nobody in the roster has the canvas_user_id '999'"),
        ("x,,,,A,Blue\n", "row 2: it names nobody"),
    ],
)
def test_what_is_wrong_with_teams_is_one_sentence(tmp_path: Path, rows: str, told: str) -> None:
    with pytest.raises(IntakeError) as caught:
        groups(tmp_path, HEADER + rows)
    assert told in str(caught.value)


def test_another_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match="is no table of groups"):
        groups(tmp_path, "Student,ID\nAda,101\n")
