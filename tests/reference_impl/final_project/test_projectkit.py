import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder import ledger

SAMPLE = Path(__file__).parents[3] / "solutions" / "final_project"


@pytest.mark.parametrize(
    "name", ["prereg", "deviations", "data_card", "results", "audit", "model_card"]
)
def test_the_sample_projects_files_follow_their_schemas(kit: Any, name: str) -> None:
    content = json.loads((SAMPLE / f"{name}.json").read_text("utf-8"))
    assert kit.problems(name, content) == []
    assert kit.problems(name, content | {"surprise": 1})
    assert kit.problems(name, None) == [f"{name}.json is not there, or was not read"]


def test_students_and_staff_give_a_registration_one_name(kit: Any) -> None:
    content = {"é": [1, 2.5, None], "a": {"z": True, "b": "x"}}
    assert kit.fingerprint(content) == ledger.fingerprint(content)


def test_tables_with_other_columns_or_rows_twice_are_refused(
    kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert kit.read_split() == {} and kit.read_json("x.json") is None
    Path("split.csv").write_text("row,part\na,test\nb,train\n")
    assert kit.read_split() == {"a": "test", "b": "train"}
    Path("split.csv").write_text("row,part\na,test\na,train\n")
    with pytest.raises(ValueError, match="the row a twice"):
        kit.read_split()
    Path("split.csv").write_text("id,part\na,test\n")
    with pytest.raises(ValueError, match="must have the columns row, part"):
        kit.read_split()


def test_improvement_is_positive_where_the_model_is_better(kit: Any) -> None:
    y = np.array([0.0, 1.0, 0.0, 1.0])
    good, bad = np.array([0.1, 0.9, 0.2, 0.8]), np.array([0.4, 0.3, 0.6, 0.5])
    for metric in ("mae", "auc"):
        assert kit.improvement(metric, y, bad, [good]) > 0
        assert kit.improvement(metric, y, good, [bad]) < 0
    assert kit.improvement("mae", y, bad, [good, bad]) == pytest.approx(
        kit.improvement("mae", y, bad, [good]) / 2
    )


def test_resampling_whole_groups_widens_the_interval(kit: Any) -> None:
    rng = np.random.default_rng(1)
    level = np.repeat(rng.standard_normal(20), 10)
    y, model = np.zeros(200), np.zeros((1, 200))
    widths = []
    for groups in (np.repeat(np.arange(20), 10), np.arange(200)):
        low, high = kit.interval("mae", y, level, model, groups)
        widths.append(high - low)
    assert widths[0] > 2 * widths[1]


@pytest.mark.parametrize(
    ("difference", "low", "high", "said"),
    [(0.3, 0.1, 0.5, "success"), (0.3, -0.1, 0.5, "inconclusive"), (0.0, -0.1, 0.1, "failure"),
     (0.1, 0.05, 0.15, "failure"), (0.1, 0.05, 0.3, "inconclusive")],
)  # fmt: skip
def test_a_verdict_follows_the_rule(
    kit: Any, difference: float, low: float, high: float, said: str
) -> None:
    assert kit.verdict(difference, low, high, threshold=0.2) == said


def test_tables_are_read_by_their_own_columns(kit: Any) -> None:
    text = (
        "| What | key |\n|---|:-:|\n| a | `x` |\n\ntext\n\n| item | where |\n|---|---|\n| t | u |"
    )
    assert list(kit.table_rows(text)) == [
        {"what": "a", "key": "`x`"},
        {"item": "t", "where": "u"},
    ]


def test_numbers_below_a_key(kit: Any) -> None:
    content = {"runs": [{"value": 0.5, "n": 3, "deep": True}], "name": "x"}
    assert kit.numbers_below(content, "runs.0") == [0.5, 3.0]
    assert kit.numbers_below(content, "") == [0.5, 3.0]
    with pytest.raises(KeyError):
        kit.numbers_below(content, "runs.1")
