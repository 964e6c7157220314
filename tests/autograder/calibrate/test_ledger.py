"""What is stored: whole, line by line, and with the source it came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autograder.calibrate.ledger import LEDGER, Ledger, Threshold, source_hash
from autograder.errors import BuildError


def test_what_was_written_is_read_again(tmp_path: Path, fakes) -> None:
    ledger = Ledger(thresholds={"auc": threshold()})
    for run in fakes.reference_runs(3):
        ledger.add(run)
    ledger.write(tmp_path)
    assert Ledger.read(tmp_path) == ledger
    lines = (tmp_path / LEDGER).read_text().splitlines()
    assert sum('"seed"' in line for line in lines) == 3, "one run a line"
    assert json.loads("\n".join(lines))["thresholds"]["auc"]["steps"] == [0.7, 0.75]


def test_an_empty_ledger_can_be_written_and_a_missing_one_is_empty(tmp_path: Path) -> None:
    assert Ledger.read(tmp_path) == Ledger()
    Ledger().write(tmp_path)
    assert Ledger.read(tmp_path) == Ledger()


def test_a_run_takes_the_place_of_an_older_one_of_its_key(fakes) -> None:
    ledger = Ledger()
    for seconds in (1.0, 2.0):
        ledger.add(fakes.a_run(1, seconds=seconds))
    ledger.add(fakes.a_run(1, device="NVIDIA H100"))
    ledger.add(fakes.a_run(0))
    assert [(r.seed, r.device, r.seconds) for r in ledger.runs] == [
        (0, "cpu", 1.0), (1, "NVIDIA H100", 1.0), (1, "cpu", 2.0),
    ]  # fmt: skip


def test_a_damaged_ledger_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_text('{"runs": [')
    with pytest.raises(BuildError, match="restore it from version control"):
        Ledger.read(tmp_path)


def test_code_changes_the_hash_of_the_source_and_words_do_not(tmp_path: Path) -> None:
    reference = reference_of(tmp_path)
    before = source_hash(reference, "one")
    calibration = reference / "one/calibration.py"
    calibration.write_text('"""Says more."""\n# a comment\n\n' + calibration.read_text())
    assert source_hash(reference, "one") == before
    for file in ("one/calibration.py", "one/training.py", "shared.py"):
        text = (reference / file).read_text()
        (reference / file).write_text(text + "\nX = 2\n")
        assert source_hash(reference, "one") != before, file
        (reference / file).write_text(text)
    (reference / "one/unused.py").write_text("X = 2\n")
    assert source_hash(reference, "one") == before


def test_judging_recipes_and_steps_anew_does_not_make_runs_old(tmp_path: Path) -> None:
    reference = reference_of(tmp_path)
    calibration = reference / "one/calibration.py"
    text = """
TRIALS = (
    Trial(
        name="a",
        metrics=(Metric("auc", "higher", rows=f, steps=(0.5, 1.0), theory=0.9),),
        baselines={"simple": g, "other": h},
        honest={"x": changed(t, A=1), "y": changed(t, A=2)},
        weak={"z": changed(t, A=3)},
    ),
)
"""
    calibration.write_text(text)
    before = source_hash(reference, "one")
    moved = text.replace('"y": changed(t, A=2)}', "}").replace(
        "weak={", 'weak={"y": changed(t, A=2), '
    )
    moved = moved.replace(', "other": h}', '},\n        learners={"other": h}')
    for same in (text.replace("(0.5, 1.0)", "()"), text.replace(", theory=0.9", ""), moved):
        assert same != text
        calibration.write_text(same)
        assert source_hash(reference, "one") == before
    for old, new in (("A=3", "A=4"), ('"z"', '"zz"'), ("rows=f", "rows=g"), ("higher", "lower")):
        calibration.write_text(text.replace(old, new))
        assert source_hash(reference, "one") != before, (old, new)


def reference_of(folder: Path) -> Path:
    (folder / "one").mkdir()
    (folder / "one/calibration.py").write_text("from reference_impl.one import training\n")
    (folder / "one/training.py").write_text("import reference_impl.shared\n")
    (folder / "one/unused.py").write_text("X = 1\n")
    (folder / "shared.py").write_text("X = 1\n")
    return folder


def threshold() -> Threshold:
    return Threshold(
        steps=[0.7, 0.75], better="higher", bound=0.75, rule="normal", content=0.99,
        confidence=0.95, deciding="reference on cpu", baseline="colours", baseline_score=0.6,
        baseline_top=0.62, error=0.01,
    )  # fmt: skip
