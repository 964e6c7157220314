"""The grader's own data: secret, arranged as promised, and impossible to answer from memory."""

import numpy as np
import pytest

from reference_impl.cnn_imaging import calibration, hidden, segmentation
from reference_impl.cnn_imaging.dermsim import public_cohort, take
from reference_impl.cnn_imaging.metrics import roc_auc
from reference_impl.cnn_imaging.splitting import patient_split
from reference_impl.course_secret import student_rng
from reference_impl.secret import Secret

DRAWS = {
    "classification": lambda: hidden.classification_set().images,
    "segmentation": lambda: hidden.segmentation_set().images,
    "retraining": lambda: hidden.retraining_set().train.X,
    "canary": lambda: hidden.canary(student_rng("canary")).X,
}


def coin_flips(seed=0):
    return hidden.canary(np.random.default_rng(seed))


def bytes_of(images):
    return {image.tobytes() for image in images}


def test_warming_draws_the_images_and_nothing_draws_them_again():
    hidden.warm()
    before = hidden._drawn.cache_info().misses
    for draw in DRAWS.values():
        draw()
    assert hidden._drawn.cache_info().misses == before


@pytest.mark.parametrize("name", DRAWS)
def test_another_secret_gives_other_images(name, monkeypatch):
    monkeypatch.setenv("AUTOGRADER_SECRET", "try-out")
    before = bytes_of(DRAWS[name]())
    monkeypatch.setenv("AUTOGRADER_SECRET", "another")
    assert not before & bytes_of(DRAWS[name]())
    monkeypatch.setenv("AUTOGRADER_SECRET", "try-out")
    assert bytes_of(DRAWS[name]()) == before


@pytest.mark.parametrize("name", DRAWS)
def test_another_student_gets_another_choice_and_order_and_the_same_one_gets_it_again(
    name, monkeypatch
):
    shown = {}
    for student in ("101", "102"):
        monkeypatch.setenv("AUTOGRADER_STUDENT", student)
        shown[student] = DRAWS[name]()
        assert (DRAWS[name]() == shown[student]).all()
    one, other = shown.values()
    together = min(len(one), len(other))
    assert (one[:together] != other[:together]).any((1, 2, 3)).mean() > 0.9
    if name != "canary":  # its images are shown to nobody
        assert 0 < len(bytes_of(one) & bytes_of(other)) < together


def test_the_order_of_the_classification_set_tells_nothing_of_labels():
    data = hidden.classification_set()
    assert 2000 < len(data) < 2500
    place = np.arange(len(data))
    assert abs(roc_auc(data.labels.reveal(), place) - 0.5) < 0.05


def test_what_answers_are_compared_with_is_secret():
    judged = (hidden.classification_set(), hidden.segmentation_set())
    for data in (*judged, hidden.retraining_set().evaluation):
        assert isinstance(data.labels, Secret) and isinstance(data.masks, Secret)
        assert len(data.labels.reveal()) == len(data.masks.reveal()) == len(data)
    steps = (hidden.AUC_STEPS, hidden.DICE_STEPS, hidden.CANARY_MOST)
    assert all(isinstance(x, Secret) for x in (*steps, hidden.RETRAINED_AUC, hidden.FLIPPED_AUC))


def test_masks_and_labels_stay_with_their_images():
    data = hidden.segmentation_set()
    inside = data.masks.reveal()[:, None]
    darkness = 255.0 - data.images
    inner = (darkness * inside).sum((1, 2, 3)) / (3 * inside.sum((1, 2, 3)))
    outer = (darkness * ~inside).sum((1, 2, 3)) / (3 * (~inside).sum((1, 2, 3)))
    assert (inner > outer).mean() > 0.98


def test_tones_are_even_where_segmentation_is_judged():
    counts = np.bincount(hidden.segmentation_set().tones, minlength=4)
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
    assert [len(part) for part in (task.train, task.val, task.evaluation)] == [200, 40, 400]
    seen = [bytes_of(part) for part in (task.train.X, task.val.X, task.evaluation.images)]
    assert len(set.union(*seen)) == sum(map(len, seen)) == 640


def test_the_canary_is_quiet_for_patients_and_sings_for_images():
    data = coin_flips()
    most = hidden.CANARY_MOST.reveal()
    train, *rest = patient_split(data.patient_id, data.y, (0.5, 0.25, 0.25), seed=1)
    quiet = hidden.nearest_neighbour_accuracy(data, train, np.concatenate(rest))
    assert abs(quiet - 0.5) < 0.1
    rows = np.random.default_rng(0).permutation(len(data))
    assert hidden.nearest_neighbour_accuracy(data, *np.array_split(rows, 2)) > most > 0.5


def test_a_patients_coin_is_tossed_once():
    data = coin_flips()
    for patient in np.unique(data.patient_id)[:50]:
        assert len(np.unique(data.y[data.patient_id == patient])) == 1
    assert 0.35 < data.y.mean() < 0.65


def test_the_nearest_neighbour_is_the_nearest_by_brute_force():
    data = take(coin_flips(), slice(0, 60))
    train, test = np.arange(40), np.arange(40, 60)
    pooled = data.X.reshape(60, 3, 8, 4, 8, 4).mean((3, 5)).reshape(60, -1)
    nearest = [min(train, key=lambda i: np.linalg.norm(pooled[i] - pooled[j])) for j in test]
    expected = np.mean(data.y[nearest] == data.y[test])
    assert hidden.nearest_neighbour_accuracy(data, train, test) == expected


def test_thresholds_are_above_what_needs_no_learning():
    judged = hidden.segmentation_set()
    otsu = segmentation.dice(calibration.otsu_masks(judged.images), judged.masks.reveal()).mean()
    half, full = hidden.DICE_STEPS.reveal()
    assert otsu < half < full
    half, full = hidden.AUC_STEPS.reveal()
    assert 0.5 < half < full
    assert hidden.FLIPPED_AUC.reveal() < 0.5 < hidden.RETRAINED_AUC.reveal()


def test_simple_colour_statistics_stay_below_the_first_step():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known, judged = public_cohort(), hidden.classification_set()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    model.fit(calibration.colour_statistics(known.X), known.y)
    scores = model.predict_proba(calibration.colour_statistics(judged.images))[:, 1]
    assert roc_auc(judged.labels.reveal(), scores) < hidden.AUC_STEPS.reveal()[0]


def test_otsu_separates_two_grey_values():
    image = np.full((1, 3, 8, 8), 200, np.uint8)
    image[:, :, 2:5, 2:5] = 40
    assert np.array_equal(calibration.otsu_masks(image)[0], image[0, 0] == 40)
