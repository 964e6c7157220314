"""The page for staff: thresholds with their pedigree, and which tests kill which mutants."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from autograder.calibrate import report
from autograder.calibrate.derive import derived
from autograder.calibrate.ledger import Ledger
from autograder.calibrate.plot import draw

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "docs").mkdir()
    return folder


def outcomes(project: Path, **lost: list[str]) -> None:
    file = project / "reference_impl/sound/mutants/outcomes.json"
    file.write_text(json.dumps(lost))


def test_the_matrix_marks_which_hidden_test_killed_which_mutant(project: Path) -> None:
    outcomes(project, m01_counts=["q1 test_half_found"], m02_seen=["q1 test_all_found"])
    text, table, legend = report.matrix(project, "sound")
    assert "Hidden tests kill 1 of 2 mutants" in text
    assert "metric tests alone would have killed 0 and missed m01, m02" in text
    assert "1 hidden tests kill none" in text
    assert table.splitlines()[0] == "| hidden test | m01 | m02 |"
    assert table.splitlines()[2:] == ["| q1 test_half_found | ● |  |"]
    assert legend == "- m01: counts\n- m02: seen\n"


def test_a_metric_test_is_named_and_counted_by_itself(project: Path) -> None:
    master = project / "solutions/sound/sound.ipynb"
    notebook = json.loads(master.read_text())
    (cell,) = [c for c in notebook["cells"] if "def test_half_found" in "".join(c["source"])]
    cell["source"] = "".join(cell["source"]).replace(
        "    assert sensitivity([1, 1, 0, 0], [1, 0, 0, 1]) == 0.5",
        "    from reference_impl.sound import hidden\n"
        "    score = sensitivity([1], [1]) + hidden.Y.reveal()\n"
        "    assert score >= hidden.LEAST.reveal()",
    )
    master.write_text(json.dumps(notebook))
    outcomes(project, m01_counts=["q1 test_half_found"], m02_odd=["q3 test_threshold"])
    text, table, _ = report.matrix(project, "sound")
    assert "kill 2 of 2 mutants" in text and "would have killed 1 and missed m02." in text
    assert "| q1 test_half_found (metric) | ● |  |" in table


def test_nothing_is_said_where_nothing_was_recorded(project: Path) -> None:
    assert report.matrix(project, "sound") == []


def test_the_page_tells_where_each_threshold_comes_from(
    project: Path, trial, fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "trials", lambda project, name: {"classifier": trial})
    weak = [fakes.a_run(seed, "one epoch", metrics={"auc": 0.62}) for seed in range(5)]
    runs = [*fakes.reference_runs(), *weak]
    thresholds, _ = derived({"classifier": trial}, runs)
    Ledger(thresholds=thresholds, runs=runs).write(project / "reference_impl/sound")
    page = report.write(project, ["sound"]).read_text()
    (row,) = [
        line
        for line in page.splitlines()
        if "| 30 | 0.8 | 0.01 |" in line and "bound" not in line and "colours" in line
    ]
    full = thresholds["auc"].steps[-1]
    for told in (
        "normal, content 0.99",
        f"{full:.4g}",
        "colours 0.6",
        "0 of 30 (≤ 9.5 %) | 5 of 5 |",
    ):
        assert told in row
    assert "35 runs on cpu (torch 2, numpy 2)" in page and "35 of them of another source" in page
    assert "| `auc` | one epoch | weak | 5 | 0.62 | 0 | 5 of 5 |" in page
    assert "| `auc` | forest | for comparison | 30 |" in page
    assert (project / "docs/calibration/sound.svg").is_file()
    assert "(calibration/sound.svg)" in page


def test_a_bound_of_theory_is_told_beside_the_tolerance_bound(
    project: Path, trial, fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = dataclasses.replace(
        trial, metrics=(dataclasses.replace(trial.metrics[0], theory=0.75, steps=(1.0,)),)
    )
    monkeypatch.setattr(report, "trials", lambda project, name: {"classifier": declared})
    runs = fakes.reference_runs(error=0.0)
    thresholds, _ = derived({"classifier": declared}, runs)
    Ledger(thresholds=thresholds, runs=runs).write(project / "reference_impl/sound")
    page = report.write(project, ["sound"]).read_text()
    bound = thresholds["auc"].tolerance
    assert (
        f"| 0.75 (theory, content 0.905; tolerance bound {bound:.4g}, reference on cpu) |" in page
    )
    assert "| colours 0.6 | ∞ |" in page


def test_a_refused_metric_is_told(project: Path, trial, fakes, monkeypatch) -> None:
    monkeypatch.setattr(report, "trials", lambda project, name: {"classifier": trial})
    Ledger(runs=fakes.reference_runs(error=1.0)).write(project / "reference_impl/sound")
    assert "| none | refused |" in report.write(project, ["sound"]).read_text()


def test_the_same_runs_draw_the_same_picture(tmp_path: Path, trial, fakes) -> None:
    runs = fakes.reference_runs()
    ledger = Ledger(thresholds=derived({"classifier": trial}, runs)[0], runs=runs)
    draw(tmp_path / "one.svg", {"classifier": trial}, ledger)
    first = (tmp_path / "one.svg").read_bytes()
    draw(tmp_path / "one.svg", {"classifier": trial}, ledger)
    assert (tmp_path / "one.svg").read_bytes() == first
    for told in ("colours", "reference", "higher is better"):
        assert told in first.decode()
