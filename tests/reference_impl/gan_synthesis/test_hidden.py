"""The grader's own data: secret, paired, and another choice for each student."""

from pathlib import Path

import numpy as np
import pytest

from reference_impl.gan_synthesis import hidden, training
from reference_impl.gan_synthesis.metrics import psnr
from reference_impl.secret import Secret

DATA = Path(__file__).parents[3] / "solutions/gan_synthesis/data"
DRAWS = {
    "translation": (lambda: hidden.translation_set().source, 200),
    "lesions": (lambda: hidden.lesion_set().source, 60),
    "retraining": (lambda: hidden.retraining_set().train[0], 32),
}


@pytest.fixture(scope="module", autouse=True)
def warmed():
    hidden.warm()


def bytes_of(images):
    return {image.tobytes() for image in images}


def test_nothing_is_drawn_again_once_all_is_warm():
    before = hidden._drawn.cache_info().misses
    for draw, _ in DRAWS.values():
        draw()
    assert hidden._drawn.cache_info().misses == before


@pytest.mark.parametrize("name", DRAWS)
def test_sets_have_the_documented_size_and_scale(name):
    draw, count = DRAWS[name]
    images = draw()
    assert images.dtype == np.float32 and images.shape == (count, 64, 64)
    assert images.min() >= 0 and 0.8 < images.max() <= 1


def test_another_secret_gives_other_images(monkeypatch):
    draw, _ = DRAWS["lesions"]
    monkeypatch.setenv("AUTOGRADER_SECRET", "one")
    before = bytes_of(draw())
    monkeypatch.setenv("AUTOGRADER_SECRET", "another")
    assert not before & bytes_of(draw())
    monkeypatch.setenv("AUTOGRADER_SECRET", "one")
    assert bytes_of(draw()) == before


@pytest.mark.parametrize("name", DRAWS)
def test_another_student_gets_another_choice_and_the_same_one_gets_it_again(name, monkeypatch):
    draw, count = DRAWS[name]
    shown = {}
    for student in ("101", "102"):
        monkeypatch.setenv("AUTOGRADER_STUDENT", student)
        shown[student] = draw()
        assert np.array_equal(draw(), shown[student])
    one, other = shown.values()
    assert (one != other).any((1, 2)).mean() > 0.9
    assert 0 < len(bytes_of(one) & bytes_of(other)) < count


def test_no_head_is_in_two_sets_or_in_two_parts_of_one():
    parts = [bytes_of(draw()) for draw, _ in DRAWS.values()]
    again = hidden.retraining_set()
    parts += [bytes_of(again.val[0]), bytes_of(again.evaluation.source)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 200 + 60 + 32 + 8 + 60


def test_no_hidden_head_is_public(scans):
    hidden_ones = bytes_of(hidden.translation_set().source)
    for part in scans.PARTS:
        assert not hidden_ones & bytes_of(scans.load("low_to_high", part, root=DATA).X)


def test_what_answers_are_compared_with_is_secret_and_fits():
    data, lesions = hidden.translation_set(), hidden.lesion_set()
    wrapped = (data.target, data.hard, lesions.target, lesions.lesion, lesions.ref)
    assert all(isinstance(x, Secret) for x in wrapped)
    assert data.target.reveal().shape == data.hard.reveal().shape == data.source.shape
    assert len(data) == 200 and len(lesions) == 60


def test_targets_stay_with_their_sources():
    data = hidden.translation_set()
    true = data.target.reveal()
    own, other = psnr(data.source, true, 1.0), psnr(data.source, np.roll(true, 1, 0), 1.0)
    assert (own > other).mean() > 0.95


def test_thin_layers_are_dark_rings():
    data = hidden.translation_set()
    hard, true = data.hard.reveal(), data.target.reveal()
    assert 0.05 < hard.mean() < 0.25
    assert true[hard].mean() < 0.5 * true[~hard & (true > 0.1)].mean()


def test_lesions_cannot_be_seen_in_their_source_and_can_in_their_target():
    data = hidden.lesion_set()
    lesion, ref, true = data.lesion.reveal(), data.ref.reveal(), data.target.reveal()
    assert lesion.any((1, 2)).all() and ref.any((1, 2)).all() and not (lesion & ref).any()

    def contrast(images):
        return np.array(
            [x[m].mean() - x[r].mean() for x, m, r in zip(images, lesion, ref, strict=True)]
        )

    assert np.abs(contrast(data.source)).mean() < 0.03 < 0.15 < contrast(true).min()


def test_the_swapped_twin_exchanges_what_is_learnt_from_and_not_what_is_judged():
    data = hidden.retraining_set()
    twin = data.swapped()
    for part in ("train", "val"):
        source, target = getattr(data, part)
        assert getattr(twin, part)[0] is target and getattr(twin, part)[1] is source
    assert twin.evaluation is data.evaluation


def test_a_short_training_shows_whether_code_learns_from_what_it_is_given(monkeypatch):
    monkeypatch.setattr(training, "EPOCHS", 5)
    data = hidden.retraining_set()
    judged, true = data.evaluation.source, data.evaluation.target.reveal()
    gain = {}
    for name, given in (("as it is", data), ("swapped", data.swapped())):
        model = training.train_translator(given.train, given.val, 1, max_seconds=1e9)
        made = training.translate(model, judged)
        gain[name] = (psnr(made, true, 1.0) - psnr(judged, true, 1.0)).mean()
    assert gain["as it is"] > hidden.RETRAINED_GAIN.reveal(), gain
    assert gain["swapped"] < hidden.SWAPPED_GAIN.reveal(), gain
