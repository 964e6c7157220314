"""What students are given beside the notebook does what its docstrings say."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reference_impl.model_audit import leaks

FILE = Path(__file__).parents[3] / "solutions/model_audit/audit_lab.py"


@pytest.fixture(scope="module")
def lab():
    pytest.importorskip("matplotlib").use("Agg")
    spec = importlib.util.spec_from_file_location("audit_lab", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", range(4))
def test_columns_of_the_practice_table_are_what_they_are_called(lab, seed):
    table, dictionary = lab.practice_table(seed)
    found = leaks.find_leaks(table, "died", 1.0, dictionary)
    wanted = [name for name in table if name.startswith("leak_")]
    assert [(name, name.removeprefix("leak_")) for name in wanted] == found


def test_sigmoid_is_the_inverse_of_log_odds(lab):
    p = np.linspace(0.1, 0.9, 5)
    assert np.allclose(lab.sigmoid(np.log(p / (1 - p))), p)


def test_every_figure_is_drawn(lab):
    from matplotlib import pyplot

    lab.show_bars({"a": 0.8, "b": 0.9}, "AUC", "title", 0.8)
    columns = {f"tpr{end}": [0.5 + d, np.nan] for end, d in (("", 0), ("_lo", -0.1), ("_hi", 0.1))}
    lab.show_forest(pd.DataFrame({"group": ["a", "b"], "n": [9, 1], **columns}), ["tpr"], "heading")
    lab.show_pairs(["a", "b"], {"share": [0.1, 0.2], "cost": [1, 2]}, "heading")
    lab.show_curves([0, 1], {"a": [0, 1]}, "x", "y", "title", (0, 1))
    y, p = np.array([0, 1, 1]), np.array([0.0, 0.7, 1.0])
    lab.show_reliability({"a": (y, p)}, "title")
    lab.show_null({"a": p}, {"a": 0.5}, "heading")
    figures = [pyplot.figure(number) for number in pyplot.get_fignums()]
    assert len(figures) == 6
    for figure in figures:
        figure.canvas.draw()
    pyplot.close("all")
