"""The simulator: what it promises about lesions, views, counterfactuals and files."""

import ast
import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from reference_impl.cnn_imaging import dermsim
from reference_impl.cnn_imaging.metrics import roc_auc

PUBLIC_FILE = Path(__file__).parents[3] / "solutions/cnn_imaging/data/dermsim.npz"


@pytest.fixture(scope="module")
def lesions():
    return dermsim.draw(150, np.random.default_rng(1))


@pytest.fixture(scope="module")
def data(lesions):
    return dermsim.render(lesions)


def same(a, b):
    return all(
        np.array_equal(getattr(a, field.name), getattr(b, field.name))
        for field in dataclasses.fields(a)
    )


def test_a_cohort_has_the_documented_shapes_and_dtypes(data):
    n = len(data)
    documented = {
        "X": (np.uint8, (n, 3, 32, 32)),
        "y": (np.int64, (n,)),
        "mask": (np.bool_, (n, 32, 32)),
        "box": (np.float64, (n, 4)),
        "patient_id": (np.int64, (n,)),
        "tone": (np.int64, (n,)),
        "ruler": (np.bool_, (n,)),
    }
    for name, (dtype, shape) in documented.items():
        array = getattr(data, name)
        assert (array.dtype, array.shape) == (dtype, shape), name
    assert "simulated" in data.provenance


@pytest.mark.parametrize("size", [28, 32, 48, 64])
def test_every_size_is_drawn_and_shows_the_same_lesion(lesions, data, size):
    few = dermsim.take(lesions, slice(0, 20))
    drawn = dermsim.render(few, size)
    assert drawn.X.shape == (20, 3, size, size)
    assert np.allclose(drawn.mask.mean((1, 2)), data.mask[:20].mean((1, 2)), atol=0.02)


def test_the_same_seed_gives_the_same_cohort_and_another_seed_another():
    first, again, other = (dermsim.cohort(20, np.random.default_rng(s)) for s in (5, 5, 6))
    assert same(first, again)
    assert len(first) != len(other) or not np.array_equal(first.X, other.X)


def test_an_image_does_not_depend_on_the_rows_beside_it(lesions, data):
    chosen = np.array([130, 3, 77])
    assert np.array_equal(dermsim.render(dermsim.take(lesions, chosen)).X, data.X[chosen])


def test_views_of_one_patient_share_label_and_tone_but_no_image(data):
    sizes = []
    for patient in np.unique(data.patient_id):
        rows = np.flatnonzero(data.patient_id == patient)
        sizes.append(len(rows))
        assert len(np.unique(data.y[rows])) == len(np.unique(data.tone[rows])) == 1
        assert len({data.X[row].tobytes() for row in rows}) == len(rows)
    assert len(sizes) == 150
    assert set(sizes) == {1, 2, 3, 4}


def test_views_of_one_patient_are_more_alike_than_other_patients(data):
    flat = data.X.reshape(len(data), -1).astype(float)
    same_patient = data.patient_id[1:] == data.patient_id[:-1]
    distance = np.linalg.norm(flat[1:] - flat[:-1], axis=1)
    assert np.median(distance[same_patient]) < 0.7 * np.median(distance[~same_patient])


def test_a_box_is_the_smallest_around_its_mask(data):
    for mask, (x0, y0, x1, y1) in zip(data.mask, data.box.astype(int), strict=True):
        rows, columns = np.nonzero(mask)
        assert (x0, y0) == (columns.min(), rows.min())
        assert (x1, y1) == (columns.max() + 1, rows.max() + 1)


def test_lesions_are_darker_than_the_skin_around_them(data):
    bare = np.flatnonzero(~data.ruler)
    grey = data.X[bare].mean(axis=1)
    mask = data.mask[bare]
    inside = (grey * mask).sum((1, 2)) / mask.sum((1, 2))
    outside = (grey * ~mask).sum((1, 2)) / (~mask).sum((1, 2))
    assert (inside < outside).mean() > 0.99


def test_dark_skin_has_less_contrast(lesions):
    contrast = []
    for tone in range(4):
        data = dermsim.render(dermsim.counterfactual(lesions, tone=tone))
        grey, mask = data.X.mean(axis=1), data.mask
        inside = (grey * mask).sum((1, 2)) / mask.sum((1, 2))
        contrast.append(((grey * ~mask).sum((1, 2)) / (~mask).sum((1, 2)) - inside).mean())
    assert contrast == sorted(contrast, reverse=True)


@pytest.mark.parametrize("change", [{"ruler": True}, {"ruler": False}, {"tone": 2}, {"hairs": 3}])
def test_a_counterfactual_changes_exactly_one_factor(lesions, data, change):
    (name,) = change
    changed = dermsim.counterfactual(lesions, **change)
    for field in dataclasses.fields(lesions):
        if field.name != name:
            assert np.array_equal(getattr(changed, field.name), getattr(lesions, field.name))
    drawn = dermsim.render(changed)
    for kept in ("y", "mask", "box", "patient_id"):
        assert np.array_equal(getattr(drawn, kept), getattr(data, kept))
    already = getattr(lesions, name) == change[name]
    unchanged = (drawn.X == data.X).all((1, 2, 3))
    assert np.array_equal(unchanged, already)


def test_a_ruler_changes_pixels_at_one_edge_only(lesions):
    on, off = (dermsim.render(dermsim.counterfactual(lesions, ruler=r)) for r in (True, False))
    differs = (on.X != off.X).any(axis=1)
    edges = np.zeros((4, 32, 32), bool)
    edges[0, :3], edges[1, :, -3:], edges[2, -3:], edges[3, :, :3] = True, True, True, True
    for where, side in zip(differs, lesions.ruler_side, strict=True):
        assert where.any()
        assert not (where & ~edges[side]).any()


def test_hairs_only_darken(lesions):
    with_hairs, without = (dermsim.render(dermsim.counterfactual(lesions, hairs=h)) for h in (6, 0))
    assert (with_hairs.X <= without.X).all()
    assert (with_hairs.X < without.X).mean() > 0.05


@pytest.mark.parametrize("changes", [{}, {"tone": 1, "ruler": True}, {"tone": 4}, {"hairs": 7}])
def test_a_counterfactual_of_no_two_or_impossible_factors_is_refused(lesions, changes):
    with pytest.raises(ValueError, match=r"factor|tone|hairs"):
        dermsim.counterfactual(lesions, **changes)


def test_tone_and_ruler_tell_nothing_of_the_label_unless_asked_to():
    fair = dermsim.draw(6000, np.random.default_rng(2))
    assert abs(roc_auc(fair.y, fair.tone) - 0.5) < 0.03
    assert abs(roc_auc(fair.y, fair.ruler) - 0.5) < 0.03
    shortcut = dermsim.draw(2000, np.random.default_rng(2), ruler=(0.05, 0.95))
    assert roc_auc(shortcut.y, shortcut.ruler) > 0.9


def test_settings_set_the_shares_they_name():
    drawn = dermsim.draw(
        4000, np.random.default_rng(3), prevalence=0.2, tones=(0, 0, 0.5, 0.5), views=(0, 1, 0, 0)
    )
    assert len(drawn) == 8000
    assert drawn.y.mean() == pytest.approx(0.2, abs=0.03)
    assert set(drawn.tone) == {2, 3}


def test_without_signs_classes_are_the_same_and_with_them_they_are_not():
    def raggedness_auc(signs):
        drawn = dermsim.draw(3000, np.random.default_rng(4), signs=signs)
        return roc_auc(drawn.y, np.abs(drawn.outline[:, 1:]).sum(1))

    assert abs(raggedness_auc(0.0) - 0.5) < 0.04
    assert 0.7 < raggedness_auc(1.0) < raggedness_auc(2.0)


def test_a_cohort_survives_saving_and_loading(data, tmp_path):
    dermsim.save_cohort(tmp_path / "few.npz", dermsim.take(data, slice(0, 10)))
    assert same(dermsim.load_cohort(tmp_path / "few.npz"), dermsim.take(data, slice(0, 10)))


def test_the_public_file_is_what_the_published_seed_gives():
    stored, drawn = dermsim.load_cohort(PUBLIC_FILE), dermsim.public_cohort()
    for name in ("y", "patient_id", "tone", "ruler"):
        assert np.array_equal(getattr(stored, name), getattr(drawn, name)), name
    # Another processor may round the last bit of a cosine differently.
    assert (stored.mask == drawn.mask).mean() > 0.9999
    difference = np.abs(stored.X.astype(int) - drawn.X)
    assert difference.max() <= 1 or (difference > 1).mean() < 1e-5
    assert (difference > 0).mean() < 1e-3
    assert PUBLIC_FILE.stat().st_size < 5_000_000


def test_students_need_only_numpy_for_it():
    tree = ast.parse(Path(dermsim.__file__).read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    top = {name.partition(".")[0] for name in imported}
    assert top <= {"numpy"} | sys.stdlib_module_names
