"""The scans of the assignment, and the public files that come of them."""

from pathlib import Path

import numpy as np
import pytest

from reference_impl.gan_synthesis import acquisition, headsim
from reference_impl.gan_synthesis.acquisition import HIGH_T1W, HIGH_T2W, LOW_T1W, acquire
from reference_impl.gan_synthesis.headsim import AIR, CSF, GREY, WHITE
from reference_impl.gan_synthesis.lowfield import to_low_field

DATA = Path(__file__).parents[3] / "solutions/gan_synthesis/data"


@pytest.fixture(scope="module")
def heads():
    return headsim.draw(12, np.random.default_rng(0), lesions=0.0)


def means(images, heads, tissue):
    return images[headsim.cover(heads, tissue) == 1].mean() / 255


def test_images_are_full_scale_but_not_above_it(heads):
    for protocol in (LOW_T1W, HIGH_T1W, HIGH_T2W):
        images = acquire(heads, protocol, np.random.default_rng(1))
        assert images.dtype == np.uint8 and images.shape == (12, 64, 64)
        assert 0.8 < np.percentile(images, 99.9) / 255 and (images == 255).mean() < 1e-3


def test_contrasts_are_in_the_images_as_in_the_physics(heads):
    rng = np.random.default_rng(2)
    t1w, t2w = (acquire(heads, p, rng) for p in (HIGH_T1W, HIGH_T2W))
    assert means(t1w, heads, WHITE) > means(t1w, heads, GREY) > means(t1w, heads, CSF)
    assert means(t2w, heads, WHITE) < means(t2w, heads, GREY) < means(t2w, heads, CSF)


def test_air_has_the_rician_floor_of_its_protocol(heads):
    corners = np.zeros((64, 64), bool)  # far from the ringing of a truncated head
    corners[np.ix_([*range(8), *range(-8, 0)], [*range(8), *range(-8, 0)])] = True
    assert (headsim.cover(heads, AIR)[:, corners] == 1).all()
    for protocol in (LOW_T1W, HIGH_T1W):
        images = acquire(heads, protocol, np.random.default_rng(3))
        floor = protocol.sigma * np.sqrt(np.pi / 2)
        assert images[:, corners].mean() / 255 == pytest.approx(floor, rel=0.1)


def test_low_field_images_have_lost_half_of_kspace_and_high_field_ones_have_not(heads):
    energy = {}
    for name, protocol in (("low", LOW_T1W), ("high", HIGH_T1W)):
        images = acquire(heads, protocol, np.random.default_rng(4)) / 255
        spectrum = np.abs(np.fft.fft2(images)) ** 2
        energy[name] = spectrum[:, 20:45, 20:45].mean() / 64**2
    assert energy["low"] == pytest.approx(LOW_T1W.sigma**2, rel=0.2)  # noise alone
    assert energy["high"] > 2 * HIGH_T1W.sigma**2


def test_a_scan_is_the_low_field_function_applied_to_maps(heads):
    one = headsim.take(heads, slice(0, 4))
    labels = np.full((4, 128, 128), WHITE, np.uint8)  # no borders: maps and tables agree
    flat = headsim.Heads(labels, one.pd, one.A, one.C, one.t2, one.has_lesion)
    maps = [headsim.render(flat, values) for values in (one.pd, one.A, one.C, one.t2)]
    p = LOW_T1W
    expected = to_low_field(
        p.gain * maps[0], *maps[1:], np.random.default_rng(5),
        B0=p.B0, tr=p.tr, te=p.te, frac=p.frac, sigma=p.sigma,
    )  # fmt: skip
    found = acquire(flat, p, np.random.default_rng(5)) / 255
    assert np.abs(found - np.minimum(expected, 1)).max() <= 0.5 / 255 + 1e-9


@pytest.mark.parametrize(
    ("file", "draw"),
    [("heads.npz", acquisition.public_scans), ("pet.npz", acquisition.public_pet)],
)
def test_the_public_file_is_what_the_seed_gives(file, draw):
    drawn = draw()
    with np.load(DATA / file, allow_pickle=False) as stored:
        assert set(stored.files) == set(drawn)
        for name, values in drawn.items():
            if values.dtype.kind in "biu":
                apart = np.abs(stored[name].astype(int) - values.astype(int)) > 1
                assert apart.mean() < 1e-3, name
            elif values.dtype.kind == "f":
                assert np.allclose(stored[name], values, rtol=1e-3), name
            else:
                assert (stored[name] == values).all(), name


def test_pet_counts_are_a_scan_of_the_blurred_activity():
    with np.load(DATA / "pet.npz", allow_pickle=False) as stored:
        counts, mean = stored["counts"].astype(float), 100 * stored["activity"].astype(float)
    seen = mean > 5
    z = (counts - mean)[seen] / np.sqrt(mean[seen])
    assert abs(z.mean()) < 0.05 and z.std() == pytest.approx(1, abs=0.03)


def test_the_public_files_are_small():
    assert sum(file.stat().st_size for file in DATA.glob("*.npz")) < 2_100_000
