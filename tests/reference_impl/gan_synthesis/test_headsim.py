"""The head simulator: what it promises about tissue, lesions, seeds and its own code."""

import ast
import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from reference_impl.gan_synthesis import headsim
from reference_impl.gan_synthesis.headsim import (
    AIR,
    BONE,
    CSF,
    GREY,
    LESION,
    SCALP,
    SIZE,
    TISSUES,
    WHITE,
)
from reference_impl.gan_synthesis.physics import spin_echo, t1_at_field


@pytest.fixture(scope="module")
def heads():
    return headsim.draw(24, np.random.default_rng(1), lesions=0.5)


def table(heads, B0=1.5, tr=0.5, te=0.012):
    return spin_echo(heads.pd, t1_at_field(heads.A, heads.C, B0), heads.t2, tr, te)


def test_heads_have_the_documented_shapes_and_dtypes(heads):
    assert (heads.labels.dtype, heads.labels.shape) == (np.uint8, (24, 2 * SIZE, 2 * SIZE))
    for name in ("pd", "A", "C", "t2"):
        values = getattr(heads, name)
        assert (values.dtype, values.shape) == (np.float64, (24, 8)), name
    assert heads.has_lesion.dtype == bool and len(heads) == 24
    assert "simulated" in headsim.PROVENANCE


def test_every_head_has_every_tissue_and_air_around_it(heads):
    for labels in heads.labels:
        assert set(range(LESION)) <= set(np.unique(labels).tolist())
        border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        assert (border == AIR).all()


def test_layers_are_nested_from_outside_in(heads):
    y, x = np.mgrid[: 2 * SIZE, : 2 * SIZE] - SIZE + 0.5
    for labels in heads.labels:
        radius = [np.hypot(x, y)[labels == tissue].mean() for tissue in (SCALP, BONE, GREY, WHITE)]
        assert radius == sorted(radius, reverse=True)


def test_tissues_take_plausible_shares_of_the_head(heads):
    inside = (heads.labels != AIR).sum(axis=(1, 2))
    limits = {SCALP: (0.08, 0.25), BONE: (0.07, 0.25), CSF: (0.04, 0.25), GREY: (0.08, 0.3),
              WHITE: (0.25, 0.6)}  # fmt: skip
    for tissue, (low, high) in limits.items():
        share = (heads.labels == tissue).sum(axis=(1, 2)) / inside
        assert low < share.min() and share.max() < high, tissue


def test_only_heads_that_are_said_to_have_a_lesion_have_one_in_the_white_matter(heads):
    found = (heads.labels == LESION).any(axis=(1, 2))
    assert (found == heads.has_lesion).all() and 4 < found.sum() < 20
    assert headsim.draw(8, np.random.default_rng(0), lesions=1.0).has_lesion.all()
    assert not headsim.draw(8, np.random.default_rng(0), lesions=0.0).has_lesion.any()


def test_lesions_can_be_taken_away_and_nothing_else_changes(heads):
    without = headsim.healthy(heads)
    changed = without.labels != heads.labels
    assert (heads.labels[changed] == LESION).all() and (without.labels[changed] == WHITE).all()
    assert not (without.labels == LESION).any() and not without.has_lesion.any()
    assert np.array_equal(without.pd, heads.pd)


def test_the_same_seed_gives_the_same_heads_and_another_seed_others():
    one, again, other = (headsim.draw(3, np.random.default_rng(s)) for s in (5, 5, 6))
    for field in dataclasses.fields(one):
        assert np.array_equal(getattr(one, field.name), getattr(again, field.name))
    assert (one.labels != other.labels).mean() > 0.02 and (one.pd != other.pd).any()


def test_heads_and_their_tissues_differ_a_little(heads):
    assert np.allclose(heads.pd.mean(axis=0), TISSUES[:, 0], rtol=0.02)
    relative = heads.t2 / TISSUES[:, 3]
    assert 0.03 < relative.std(axis=0).min() and np.abs(relative - 1).max() < 0.13
    assert (heads.labels[0] != heads.labels[1]).mean() > 0.02


def test_white_matter_is_bright_on_t1_and_dark_on_t2_weighted_images(heads):
    t1w, t2w = table(heads)[:, [WHITE, GREY, CSF]], table(heads, tr=4.0, te=0.1)
    assert (np.diff(t1w.mean(axis=0)) < 0).all()
    assert (np.diff(t2w[:, [WHITE, GREY, CSF]], axis=1) > 0).all()


def test_a_low_field_shortens_t1_and_with_it_takes_contrast(heads):
    grey_white = [GREY, WHITE]
    low, high = (t1_at_field(heads.A, heads.C, B0) for B0 in (0.064, 1.5))
    assert (low[:, grey_white] < 0.5 * high[:, grey_white]).all()
    assert np.allclose(low[:, CSF], high[:, CSF])


def test_a_lesion_cannot_be_seen_on_t1_but_on_t2_weighted_images():
    nominal = spin_echo(TISSUES[:, 0], t1_at_field(TISSUES[:, 1], TISSUES[:, 2], 1.5),
                        TISSUES[:, 3], 0.5, 0.012)  # fmt: skip
    assert abs(nominal[LESION] - nominal[WHITE]) < 0.002
    heads = headsim.draw(60, np.random.default_rng(3))
    t1w, t2w = table(heads), table(heads, tr=4.0, te=0.1)
    assert np.abs(t1w[:, LESION] - t1w[:, WHITE]).max() < 0.02
    assert (t2w[:, LESION] - t2w[:, WHITE]).min() > 0.12


def test_rendering_draws_the_table_and_mixes_it_at_borders(heads):
    by_code = headsim.render(heads, np.arange(8.0))
    assert by_code.shape == (24, SIZE, SIZE)
    blocks = heads.labels.reshape(24, SIZE, 2, SIZE, 2).astype(float)
    assert np.allclose(by_code, blocks.mean(axis=(2, 4)))
    own = headsim.render(heads, np.arange(24.0)[:, None] * np.ones(8))
    assert (own == np.arange(24.0)[:, None, None]).all()


def test_cover_adds_up_and_majority_is_where_it_is_largest(heads):
    shares = np.stack([headsim.cover(heads, tissue) for tissue in range(8)])
    assert np.allclose(shares.sum(axis=0), 1)
    assert np.allclose(headsim.cover(heads, BONE, CSF), shares[BONE] + shares[CSF])
    most = headsim.majority(heads)
    assert most.dtype == np.uint8
    chosen = np.take_along_axis(shares, most[None].astype(int), axis=0)[0]
    assert (chosen == shares.max(axis=0)).all()


def test_taking_rows_takes_them_of_everything(heads):
    few = headsim.take(heads, [3, 1])
    assert len(few) == 2
    for field in dataclasses.fields(heads):
        assert np.array_equal(getattr(few, field.name), getattr(heads, field.name)[[3, 1]])


@pytest.mark.parametrize("name", ["headsim", "petsim"])
def test_a_public_simulator_needs_only_numpy_and_knows_no_signal_equation(name):
    source = Path(headsim.__file__).with_name(f"{name}.py").read_text("utf-8")
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"numpy"}
    for answer in ("fft", "binomial", "gaussian_filter", "rician", "expm1", "B0 **"):
        assert answer not in source, answer
