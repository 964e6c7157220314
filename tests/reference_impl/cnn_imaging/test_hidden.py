"""The grader's own data: secret, arranged as promised, and impossible to answer from memory."""

import numpy as np
import pytest

from reference_impl.cnn_imaging import calibration, hidden, segmentation
from reference_impl.cnn_imaging.dermsim import public_cohort, take
from reference_impl.cnn_imaging.metrics import roc_auc
from reference_impl.cnn_imaging.splitting import patient_split

SETS = (hidden.classification_set, hidden.segmentation_set, hidden.retraining_set, hidden.canary)


def images(drawn):
    return drawn.X if hasattr(drawn, "X") else drawn.train.X


def test_warming_draws_every_set_once():
    hidden.warm()
    for draw in SETS:
        assert draw.cache_info().currsize == 1
        assert draw() is draw()


@pytest.mark.parametrize("draw", SETS, ids=lambda draw: draw.__name__)
def test_another_secret_gives_other_data(draw, monkeypatch):
    before = images(draw())
    monkeypatch.setenv("AUTOGRADER_SECRET", "another")
    after = images(draw.__wrapped__())
    assert before.shape != after.shape or (before != after).any()
    monkeypatch.setenv("AUTOGRADER_SECRET", "try-out")
    assert (images(draw.__wrapped__()) == before).all()


def test_the_classification_set_is_sorted_by_class_and_holds_whole_batches_of_each():
    y = hidden.classification_set().y
    assert (np.diff(y) >= 0).all()
    assert min((y == 0).sum(), (y == 1).sum()) > 500


def test_tones_are_even_where_segmentation_is_judged():
    counts = np.bincount(hidden.segmentation_set().tone, minlength=4)
    assert counts.sum() == 400
    assert counts.min() > 60


def test_flipping_changes_labels_to_learn_from_and_nothing_else():
    task = hidden.retraining_set()
    flipped = task.flipped()
    assert np.array_equal(flipped.train.y, 1 - task.train.y)
    assert np.array_equal(flipped.val.y, 1 - task.val.y)
    assert flipped.evaluation is task.evaluation
    assert flipped.train.X is task.train.X


def test_no_image_is_in_two_parts_of_the_retraining_set():
    task = hidden.retraining_set()
    parts = (task.train, task.val, task.evaluation)
    seen = [{image.tobytes() for image in part.X} for part in parts]
    assert len(set.union(*seen)) == sum(map(len, seen)) == 640


def test_the_canary_is_quiet_for_patients_and_sings_for_images():
    data = hidden.canary()
    low, high = hidden.CANARY_RANGE
    train, *rest = patient_split(data.patient_id, data.y, (0.5, 0.25, 0.25), seed=1)
    assert low <= hidden.nearest_neighbour_accuracy(data, train, np.concatenate(rest)) <= high
    rows = np.random.default_rng(0).permutation(len(data))
    assert hidden.nearest_neighbour_accuracy(data, *np.array_split(rows, 2)) > high


def test_a_patients_coin_is_tossed_once():
    data = hidden.canary()
    for patient in np.unique(data.patient_id)[:50]:
        assert len(np.unique(data.y[data.patient_id == patient])) == 1
    assert 0.35 < data.y.mean() < 0.65


def test_the_nearest_neighbour_is_the_nearest_by_brute_force():
    data = take(hidden.canary(), slice(0, 60))
    train, test = np.arange(40), np.arange(40, 60)
    pooled = data.X.reshape(60, 3, 8, 4, 8, 4).mean((3, 5)).reshape(60, -1)
    nearest = [min(train, key=lambda i: np.linalg.norm(pooled[i] - pooled[j])) for j in test]
    expected = np.mean(data.y[nearest] == data.y[test])
    assert hidden.nearest_neighbour_accuracy(data, train, test) == expected


def test_thresholds_are_above_what_needs_no_learning():
    judged = hidden.segmentation_set()
    otsu = segmentation.dice(calibration.otsu_masks(judged.X), judged.mask).mean()
    assert otsu < hidden.DICE_STEPS[0] < hidden.DICE_STEPS[1]
    assert 0.5 < hidden.AUC_STEPS[0] < hidden.AUC_STEPS[1]
    assert hidden.FLIPPED_AUC < 0.5 < hidden.RETRAINED_AUC


def test_simple_colour_statistics_stay_below_the_first_step():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known, judged = public_cohort(), hidden.classification_set()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    model.fit(calibration.colour_statistics(known.X), known.y)
    scores = model.predict_proba(calibration.colour_statistics(judged.X))[:, 1]
    assert roc_auc(judged.y, scores) < hidden.AUC_STEPS[0]


def test_otsu_separates_two_grey_values():
    image = np.full((1, 3, 8, 8), 200, np.uint8)
    image[:, :, 2:5, 2:5] = 40
    assert np.array_equal(calibration.otsu_masks(image)[0], image[0, 0] == 40)
