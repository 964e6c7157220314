"""A simulator of dermoscopy: pigmented skin lesions whose truth is known exactly.

Every image is drawn from a handful of numbers (:class:`Lesions`), so the label, the outline and
the nuisances are known without error, and one factor can be changed while all others stay as
they are (:func:`counterfactual`). **These are not patients.** The model is a cartoon of the
"ABCD" signs of melanoma (Nachbar et al., J Am Acad Dermatol 30:551, 1994):

- *Asymmetry, border*: the outline is star-shaped around the lesion's centre,
  ``R(t) = r0 (1 + sum_m a_m cos(m t + p_m))`` for ``m = 1..7``; ``m = 1`` shifts the bulk to one
  side, higher ``m`` make the border ragged. Amplitudes are larger in malignant lesions.
- *Colour*: up to three patches of another pigment (dark brown, red, blue-grey) on a brown base.
  Malignant lesions have more of them, but any colour occurs in both classes.
- *Dermoscopic structure*: a network of plane waves, coarser and stronger in malignant lesions.

Pigment *absorbs*: it multiplies the light that the skin reflects. Sensor noise *adds*. So on dark
skin the same lesion has less contrast to noise, as the same physics would have it. The four skin
tones are a stand-in for a subgroup, not a model of the Fitzpatrick types.

Nuisances: position, size, rotation, light, hairs, sensor noise, and a ruler at the image's edge,
which real data sets show more often beside suspicious lesions (Narla et al., J Invest Dermatol
138:2108, 2018).

Only NumPy is needed.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "PROVENANCE",
    "PUBLIC_PATIENTS",
    "PUBLIC_SEED",
    "TONES",
    "Cohort",
    "Lesions",
    "cohort",
    "counterfactual",
    "draw",
    "load_cohort",
    "public_cohort",
    "render",
    "save_cohort",
    "take",
]

PROVENANCE = "simulated by dermsim 1.0; no patient, no camera"
PUBLIC_SEED = 20261101
PUBLIC_PATIENTS = 640

TONES = np.array(
    [[0.93, 0.78, 0.70], [0.80, 0.62, 0.50], [0.60, 0.43, 0.33], [0.38, 0.26, 0.20]], np.float32
)
"""Reflectance of the skin, red, green and blue, for tones 0 (light) to 3 (dark)."""

_BASE = np.array([0.45, 0.75, 0.95], np.float32)
"""Absorption of brown pigment in red, green and blue light, per unit of depth."""
_PATCH = np.array([[0.75, 0.75, 0.70], [-0.20, 0.20, 0.10], [0.55, 0.25, -0.15]], np.float32)
"""What a patch adds to the absorption: dark brown, red, blue-grey."""
_HARMONICS = np.arange(1, 8)
_PATCHES = 3
_WAVES = 4
_MOST_HAIRS = 6
_CHUNK = 64

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Lesions:
    """What is true of each image, one row an image; lengths are in half-widths of the image.

    The rows of one patient show one lesion and share everything down to ``wave_phase``; what
    follows it differs from view to view.
    """

    patient_id: Array
    """int64 [N]"""
    y: Array
    """int64 [N], 1 is malignant"""
    tone: Array
    """int64 [N], index into :data:`TONES`"""
    skin: Array
    """float32 [N, 3], the patient's own reflectance relative to the tone's"""
    radius: Array
    """float32 [N], ``r0``"""
    outline: Array
    """complex64 [N, 7], ``a_m exp(i p_m)``"""
    depth: Array
    """float32 [N], optical depth of the pigment"""
    hue: Array
    """float32 [N, 3], the lesion's own deviation in absorption"""
    patch: Array
    """float32 [N, 3], optical depth of each kind of patch; 0 if there is none"""
    patch_at: Array
    """float32 [N, 3, 3], centre x, centre y and width of each patch, in radii"""
    wave: Array
    """float32 [N, 4, 2], wave vectors of the network, radians a half-width"""
    wave_phase: Array
    """float32 [N, 5], amplitude, then the waves' phases"""
    centre: Array
    """float32 [N, 2], x and y"""
    rotation: Array
    """float32 [N], radians"""
    zoom: Array
    """float32 [N]"""
    blur: Array
    """float32 [N], width of the border"""
    light: Array
    """float32 [N, 3], gain and its gradient along x and y"""
    hairs: Array
    """int64 [N], number of hairs, at most 6"""
    hair_at: Array
    """float32 [N, 6, 5], angle, offset, curvature, width and darkness of each hair"""
    ruler: Array
    """bool [N]"""
    ruler_side: Array
    """int64 [N], 0 top, 1 right, 2 bottom, 3 left"""
    noise: Array
    """float32 [N], standard deviation of the sensor noise"""
    noise_seed: Array
    """int64 [N]"""

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Cohort:
    """Images with everything that is known of them."""

    X: Array
    """uint8 [N, 3, H, W], red, green, blue"""
    y: Array
    """int64 [N], 1 is malignant"""
    mask: Array
    """bool [N, H, W], the lesion"""
    box: Array
    """float64 [N, 4], x0, y0, x1, y1 around the mask, pixels; x1 and y1 are exclusive"""
    patient_id: Array
    """int64 [N]"""
    tone: Array
    """int64 [N], 0 (light) to 3 (dark)"""
    ruler: Array
    """bool [N], whether a ruler is in the image"""
    provenance: str = PROVENANCE

    def __len__(self) -> int:
        return len(self.y)


def take(rows: Any, index: Any) -> Any:
    """The chosen rows of a :class:`Cohort` or :class:`Lesions`."""
    fields = {field.name: getattr(rows, field.name) for field in dataclasses.fields(rows)}
    chosen = {name: v[index] if isinstance(v, np.ndarray) else v for name, v in fields.items()}
    return type(rows)(**chosen)


def cohort(n_patients: int, rng: np.random.Generator, *, size: int = 32, **settings: Any) -> Cohort:
    """Simulate ``n_patients`` patients with 1 to 4 views each; ``settings`` as for :func:`draw`.

    >>> data = cohort(100, np.random.default_rng(0), ruler=(0.05, 0.95))
    """
    return render(draw(n_patients, rng, **settings), size)


def draw(
    n_patients: int,
    rng: np.random.Generator,
    *,
    prevalence: float = 0.35,
    ruler: tuple[float, float] = (0.1, 0.1),
    tones: tuple[float, float, float, float] = (0.4, 0.3, 0.2, 0.1),
    views: tuple[float, float, float, float] = (0.25, 0.25, 0.25, 0.25),
    signs: float = 1.0,
) -> Lesions:
    """Draw the lesions of ``n_patients`` patients.

    Args:
        n_patients: How many.
        rng: Source of all randomness; the same state gives the same lesions.
        prevalence: Probability that a patient's lesion is malignant.
        ruler: Probability of a ruler in an image of a benign and of a malignant lesion.
        tones: Probability of each skin tone; independent of the label.
        views: Probability that a patient has 1, 2, 3 or 4 views.
        signs: How far malignant lesions differ from benign ones: 0 not at all, 1 as in the
            course's data, 2 plainly.
    """
    patient = _draw_patients(n_patients, rng, prevalence, tones, signs)
    row = np.repeat(np.arange(n_patients), rng.choice([1, 2, 3, 4], n_patients, p=views))
    shared = {name: values[row] for name, values in patient.items()}
    return Lesions(**shared, **_draw_views(shared["y"], rng, ruler))


def _draw_patients(
    n: int, rng: np.random.Generator, prevalence: float, tones: Any, signs: float
) -> dict[str, Array]:
    """What the views of one patient share."""
    y = (rng.random(n) < prevalence).astype(np.int64)
    sign = signs * y
    m = _HARMONICS
    ragged = rng.gamma(3.0, 0.013 * (1 + 1.4 * sign))[:, None]
    one_sided = rng.gamma(2.0, 0.033 * (1 + 1.2 * sign))[:, None]
    amplitude = np.where(m == 1, one_sided, ragged * rng.rayleigh(1.0, (n, 7)) / m**0.5)
    phase = rng.uniform(0, 2 * np.pi, (n, 7))
    chance = np.stack([0.25 + 0.15 * sign, 0.3 + 0.05 * sign, 0.15 + 0.15 * sign], 1)
    present = rng.random((n, _PATCHES)) < np.minimum(chance, 0.95)
    spot_angle = rng.uniform(0, 2 * np.pi, (n, _PATCHES))
    spot_radius = 0.65 * np.sqrt(rng.random((n, _PATCHES)))
    spots = [spot_radius * np.cos(spot_angle), spot_radius * np.sin(spot_angle)]
    frequency = rng.uniform(9, 15, n) / (1 + 0.15 * sign)
    frequency = frequency[:, None] * rng.uniform(0.8, 1.2, (n, _WAVES))
    direction = rng.uniform(0, np.pi, (n, _WAVES))
    network = rng.gamma(4.0, 0.028 * (1 + 1.0 * sign))
    drawn = {
        "skin": np.exp(rng.normal(0, 0.07, (n, 1)) + rng.normal(0, 0.03, (n, 3))),
        "radius": rng.uniform(0.32, 0.68, n),
        "depth": rng.uniform(0.45, 1.0, n),
        "hue": rng.normal(0, 0.09, (n, 3)),
        "patch": present * rng.uniform(0.5, 1.0, (n, _PATCHES)),
        "patch_at": np.stack([*spots, rng.uniform(0.3, 0.55, (n, _PATCHES))], 2),
        "wave": frequency[..., None] * np.stack([np.cos(direction), np.sin(direction)], 2),
        "wave_phase": np.column_stack([network, rng.uniform(0, 2 * np.pi, (n, _WAVES))]),
    }
    return {
        "patient_id": 10_000 + rng.permutation(n).astype(np.int64),
        "y": y,
        "tone": rng.choice(4, n, p=tones).astype(np.int64),
        "outline": (np.minimum(amplitude, 0.45) * np.exp(1j * phase)).astype(np.complex64),
        **{name: values.astype(np.float32) for name, values in drawn.items()},
    }


def _draw_views(y: Array, rng: np.random.Generator, ruler: tuple[float, float]) -> dict[str, Array]:
    """What differs from view to view."""
    n, h = len(y), _MOST_HAIRS
    hair = [
        rng.uniform(0, np.pi, (n, h)),
        rng.uniform(-0.8, 0.8, (n, h)),
        rng.normal(0, 0.25, (n, h)),
        rng.uniform(0.02, 0.04, (n, h)),
        rng.uniform(0.4, 0.8, (n, h)),
    ]
    drawn = {
        "centre": rng.normal(0, 0.04, (n, 2)),
        "rotation": rng.normal(0, 0.15, n),
        "zoom": rng.uniform(0.95, 1.05, n),
        "blur": rng.uniform(0.03, 0.08, n),
        "light": np.column_stack([rng.normal(1, 0.03, n), rng.normal(0, 0.03, (n, 2))]),
        "hair_at": np.stack(hair, 2),
        "noise": rng.uniform(0.015, 0.035, n),
    }
    return {
        "hairs": np.minimum(rng.poisson(0.9, n), h).astype(np.int64),
        "ruler": rng.random(n) < np.asarray(ruler)[y],
        "ruler_side": rng.integers(0, 4, n),
        "noise_seed": rng.integers(0, 2**63 - 1, n),
        **{name: values.astype(np.float32) for name, values in drawn.items()},
    }


def counterfactual(
    lesions: Lesions,
    *,
    ruler: bool | None = None,
    tone: int | None = None,
    hairs: int | None = None,
) -> Lesions:
    """The same lesions with exactly one factor set to a value; all else, noise too, is kept.

    >>> lesions = draw(100, np.random.default_rng(0))
    >>> with_ruler = render(counterfactual(lesions, ruler=True))
    >>> without = render(counterfactual(lesions, ruler=False))
    """
    asked = {"ruler": ruler, "tone": tone, "hairs": hairs}
    given = {name: value for name, value in asked.items() if value is not None}
    if len(given) != 1:
        raise ValueError(f"a counterfactual changes exactly one factor, not {len(given)}")
    if tone is not None and not 0 <= tone < len(TONES):
        raise ValueError(f"tone must be 0 to {len(TONES) - 1}, not {tone}")
    if hairs is not None and not 0 <= hairs <= _MOST_HAIRS:
        raise ValueError(f"hairs must be 0 to {_MOST_HAIRS}, not {hairs}")
    new = {n: np.full_like(getattr(lesions, n), value) for n, value in given.items()}
    return dataclasses.replace(lesions, **new)


def render(lesions: Lesions, size: int = 32) -> Cohort:
    """Draw the images, ``size`` pixels a side; what it returns depends on ``lesions`` alone."""
    n = len(lesions)
    images = np.empty((n, 3, size, size), np.uint8)
    masks = np.empty((n, size, size), bool)
    # In chunks that fit the cache; a row's image does not depend on the rows beside it.
    for start in range(0, n, _CHUNK):
        rows = slice(start, start + _CHUNK)
        images[rows], masks[rows] = _render_chunk(take(lesions, rows), size)
    return Cohort(
        X=images,
        y=lesions.y.copy(),
        mask=masks,
        box=_boxes(masks),
        patient_id=lesions.patient_id.copy(),
        tone=lesions.tone.copy(),
        ruler=lesions.ruler.copy(),
    )


def _render_chunk(lesions: Lesions, size: int) -> tuple[Array, Array]:
    """Images uint8 [n, 3, H, W] and masks bool [n, H, W] of a few lesions."""
    grid = ((np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1).astype(np.float32)
    # A point of the image is a complex number x + iy: turning it is a multiplication.
    image_plane = (grid[None, :] + 1j * grid[:, None]).astype(np.complex64)
    centre = lesions.centre[:, 0] + 1j * lesions.centre[:, 1]
    turn = np.exp(-1j * lesions.rotation) / lesions.zoom
    z = (image_plane - _column(centre)) * _column(turn.astype(np.complex64))
    gap = _outline(lesions, z) - np.abs(z)
    cover = _sigmoid(gap / _column(lesions.blur))[:, None]
    absorbed = cover * _absorption(lesions, z)
    skin = TONES[lesions.tone] * lesions.skin
    scene = skin[:, :, None, None] * np.exp(-absorbed)
    _add_hairs(scene, lesions, image_plane)
    _add_ruler(scene, lesions)
    light: Array = _column(lesions.light[:, 0]) + _column(lesions.light[:, 1]) * grid
    light = light + _column(lesions.light[:, 2]) * grid[:, None]
    scene *= light[:, None]
    scene += _noise(lesions, scene.shape[1:])
    return np.clip(scene * 255 + 0.5, 0, 255).astype(np.uint8), gap > 0


def _column(values: Array) -> Array:
    """``values`` [n] as [n, 1, 1]."""
    return values[:, None, None]


def _sigmoid(x: Array) -> Array:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))


def _outline(lesions: Lesions, z: Array) -> Array:
    """``R(t)`` in the direction of every point: float32 [n, H, W]."""
    # cos(m t + p) is the real part of exp(ip) exp(it)^m: one product a harmonic, no cosine.
    direction = z / np.maximum(np.abs(z), 1e-6)
    power = np.ones_like(direction)
    total: Array = np.ones(z.shape, np.float32)
    for m in range(len(_HARMONICS)):
        power *= direction
        coefficient = _column(lesions.outline[:, m])
        total += coefficient.real * power.real - coefficient.imag * power.imag
    return _column(lesions.radius) * np.maximum(total, 0.25)


def _absorption(lesions: Lesions, z: Array) -> Array:
    """Optical depth of the pigment by colour: float32 [n, 3, H, W]."""
    x, y = z.real, z.imag
    network: Array = np.zeros(z.shape, np.float32)
    for j in range(_WAVES):
        wave = lesions.wave[:, j]
        phase = lesions.wave_phase[:, j + 1]
        network += np.cos(_column(wave[:, 0]) * x + _column(wave[:, 1]) * y + _column(phase))
    depth = _column(lesions.depth) * (1 + _column(lesions.wave_phase[:, 0]) * network)
    total = depth[:, None] * (_BASE + lesions.hue)[:, :, None, None]
    for kind in range(_PATCHES):
        here = np.flatnonzero(lesions.patch[:, kind])
        at = lesions.patch_at[here, kind] * lesions.radius[here, None]
        square = (x[here] - _column(at[:, 0])) ** 2 + (y[here] - _column(at[:, 1])) ** 2
        bump = _column(lesions.patch[here, kind]) * np.exp(-square / _column(at[:, 2]) ** 2)
        total[here] += bump[:, None] * _PATCH[kind][:, None, None]
    return np.asarray(np.maximum(total, 0))


def _add_hairs(scene: Array, lesions: Lesions, image_plane: Array) -> None:
    """Darken ``scene`` along each hair, an arc across the image."""
    for j in range(_MOST_HAIRS):
        here = np.flatnonzero(lesions.hairs > j)
        angle, offset, curve, width, dark = lesions.hair_at[here, j].T
        turned = image_plane * _column(np.exp(-1j * angle).astype(np.complex64))
        across = turned.imag - _column(offset) - _column(curve) * turned.real**2
        shade = _column(dark) * np.exp(-((across / _column(width)) ** 2))
        scene[here] *= 1 - shade[:, None]


def _add_ruler(scene: Array, lesions: Lesions) -> None:
    """Lay a pale strip with dark ticks along one side of ``scene``."""
    size = scene.shape[-1]
    thick, step = max(2, size // 10), max(3, size // 8)
    strip = np.full((thick, size), 0.92, np.float32)
    strip[:, step // 2 :: step] = 0.15
    for side in range(4):
        here = np.flatnonzero(lesions.ruler & (lesions.ruler_side == side))
        # A quarter turn puts the side on top; the view writes through to the scene.
        turned = np.rot90(scene, k=side, axes=(2, 3))
        turned[here, :, :thick] = strip


def _noise(lesions: Lesions, shape: tuple[int, ...]) -> Array:
    """Sensor noise, each image's from its own seed: float32 [n, 3, H, W]."""
    seeds, sigma = lesions.noise_seed, lesions.noise
    fields = [np.random.default_rng(s).standard_normal(shape, np.float32) for s in seeds]
    return np.stack(fields) * sigma[:, None, None, None]


def _boxes(masks: Array) -> Array:
    """Smallest box x0, y0, x1, y1 around each mask: float64 [N, 4]; zeros around nothing."""
    if not len(masks):
        return np.zeros((0, 4))
    ends = []
    for axis in (1, 2):
        occupied: Array = np.any(masks, axis=axis)
        first = occupied.argmax(axis=1)
        last = occupied.shape[1] - occupied[:, ::-1].argmax(axis=1)
        ends.append((first, np.where(occupied.any(axis=1), last, 0)))
    (x0, x1), (y0, y1) = ends
    return np.stack([x0, y0, x1, y1], axis=1).astype(np.float64)


def public_cohort() -> Cohort:
    """The course's public data, as in ``dermsim.npz``: 640 patients from a published seed."""
    return cohort(PUBLIC_PATIENTS, np.random.default_rng(PUBLIC_SEED))


def save_cohort(path: str | os.PathLike[str], data: Cohort) -> None:
    """Write ``data`` to a compressed ``.npz`` file."""
    arrays = {field.name: getattr(data, field.name) for field in dataclasses.fields(data)}
    np.savez_compressed(path, **arrays)


def load_cohort(path: str | os.PathLike[str]) -> Cohort:
    """Read a file that :func:`save_cohort` wrote; no pickles are loaded."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return Cohort(**{**arrays, "provenance": str(arrays["provenance"])})
