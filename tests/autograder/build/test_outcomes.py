"""What mutants lost is kept, one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autograder.build.outcomes import read_outcomes, record
from autograder.build.verify import Row, verify


def test_verify_says_which_tests_a_subject_lost(masters: Path, plain_grade: Any) -> None:
    proof = verify("sound", masters, grade=plain_grade)
    lost = {row.subject: row.lost for row in proof.rows}
    assert lost["solution"] == ()
    assert lost["mutant counts_all_cases"] == ("q1 test_all_found", "q1 test_half_found")
    assert "q1 test_all_found" in lost["student notebook"]


def test_outcomes_of_mutants_are_added_to_what_was_known(tmp_path: Path) -> None:
    for name in ("m01_one", "m02_two"):
        (tmp_path / f"{name}.py").touch()
    assert read_outcomes(tmp_path) == {}
    record(tmp_path, [mutant("m02_two", "q2 test_b"), Row("solution", "", "", True)])
    record(tmp_path, [mutant("m01_one", "q1 test_a"), mutant("m02_two", "q2 test_c")])
    assert read_outcomes(tmp_path) == {"m01_one": ["q1 test_a"], "m02_two": ["q2 test_c"]}
    (tmp_path / "m01_one.py").unlink()
    record(tmp_path, [])
    assert read_outcomes(tmp_path) == {"m02_two": ["q2 test_c"]}


def test_where_there_are_no_mutants_nothing_is_written(tmp_path: Path) -> None:
    record(tmp_path / "mutants", [Row("solution", "", "", True)])
    assert not (tmp_path / "mutants").exists()


def mutant(name: str, *lost: str) -> Row:
    return Row(f"mutant {name}", "", "", True, lost)
