"""What calibration measures of auditors, on cases whose answer is known."""

import numpy as np
import pytest

from reference_impl.model_audit import hidden, image_trials, interval_trials, table_trials


def heights(chart, values):
    state, found = np.zeros((1, chart.size)), []
    for z in values:
        state = chart.after(state, np.array([z]))
        found.append(float(chart.height(state)[0]))
    return found


def test_other_charts_gather_days_as_their_names_say():
    assert heights(image_trials.CUSUM, [1, 2, -4, -1]) == [0.5, 2, 3.5, 4]
    assert heights(image_trials.WEEK, [1] * 9) == [1, 2, 3, 4, 5, 6, 7, 7, 7]
    assert heights(image_trials.WEEKS, [1] * 7 + [-2] * 7) == [0] * 6 + [7] * 7 + [14]


def test_a_verdict_is_right_if_it_names_what_is_planted_and_nothing_else():
    p = np.zeros((30, 3, 4, 2))
    p[:, 0, 2, 1] = 0.5  # guilty of the third, and it is planted
    p[:, 1, 0, 1] = p[:, 1, 1, 1] = -0.5  # guilty of two, of which one is planted
    y = np.arange(30) % 2
    case = image_trials._Case(y, p[:, :, 0, 0], p, np.array([2, 0, -1]))
    assert image_trials._right(image_trials._judged(case, p)) == 2
    assert image_trials._right(image_trials._judged(case, np.zeros(p.shape))) == 1


def test_rows_of_a_temperature_have_its_error_as_mean_and_spread():
    from reference_impl.model_audit.reliability import fit_temperature

    tasks = [hidden.temperatures(np.random.default_rng(n))[0] for n in range(6)]
    values = [fit_temperature(task.logits, task.y) for task in tasks]
    errors = [value / task.planted - 1 for value, task in zip(values, tasks, strict=True)]
    rows = interval_trials._influences(tasks, interval_trials._Fitted(values, learnt=True))
    assert rows.mean(axis=0) == pytest.approx(errors, abs=1e-5)
    told = rows.std(axis=0) / len(rows) ** 0.5
    assert 0.3 < np.std(errors) / told.mean() < 2.5
    fixed = interval_trials._influences(tasks, interval_trials._Fitted(values))
    assert fixed.std(axis=0).max() < 1e-9


def test_who_finds_everything_or_nothing_has_no_excess():
    gaps = np.repeat([0, 1, 2], 60)
    for found in (np.ones(180), np.zeros(180)):
        assert table_trials._excess(np.column_stack([gaps, found])) == 0
    one_sided = np.column_stack([gaps, gaps == 0])
    assert table_trials._excess(one_sided) == 0
    assert table_trials._excess(np.column_stack([gaps, gaps < 2])) == 1


def test_the_lower_of_two_tables_counts():
    rows = np.array([(0, 1, 1), (0, 0, 0), (1, 1, 1), (1, 0, 1), (1, 0, 0)])
    assert table_trials._least_score(rows) == pytest.approx(2 / 3)
    rows[1, 1] = 1
    assert table_trials._least_score(rows) == pytest.approx(2 / 3 - 0.1)
