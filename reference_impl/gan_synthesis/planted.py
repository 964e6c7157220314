"""Generators whose faults are known, for students' audits to find."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from reference_impl.gan_synthesis.distributions import VERDICTS

__all__ = ["MODES", "Sampled", "erased", "hallucinated", "sampled"]

MODES = 9
"""Clusters of the distribution that :func:`sampled` draws from."""

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Sampled:
    """What ``mode_collapse_report`` is given."""

    fake: Floats
    """[N, d], what the generator made of ``source``"""
    real: Floats
    """[N, d], the true translations"""
    source: Floats
    """[N, d]"""
    train: Floats
    """[M, d], targets of the training set"""


def sampled(kind: str, rng: np.random.Generator, n: int = 270, d: int = 6) -> Sampled:
    """A sample of a generator that does one thing wrong, or nothing.

    The real samples are clusters around :data:`MODES` points, equally frequent; a source is
    its translation, shifted and turned, plus noise. The generator that is

    - ``"faithful"`` draws the cluster that its source is of, anew;
    - ``"collapsed"`` draws from a third of the clusters only;
    - ``"memorising"`` recites the training target nearest to the truth, with hardly any noise;
    - ``"copying"`` hands on its source, with hardly any noise;
    - ``"implausible"`` draws from between the clusters.

    Args:
        kind: One of ``distributions.VERDICTS``.
        rng: Source of all randomness: the clusters, the samples and their order.
        n: Samples, a multiple of :data:`MODES`; twice as many training targets.
        d: Features of a sample.

    Raises:
        ValueError: if there is no such kind.
    """
    if kind not in VERDICTS:
        raise ValueError(f"there is no generator {kind!r}; choose one of {VERDICTS}")
    centres = _apart(rng, d)
    mode = rng.permutation(np.arange(n) % MODES)
    real = centres[mode] + rng.standard_normal((n, d))
    known = rng.permutation(np.arange(2 * n) % MODES)
    train = centres[known] + rng.standard_normal((2 * n, d))
    turn, _ = np.linalg.qr(rng.standard_normal((d, d)))
    source = real @ turn + 12 * rng.standard_normal(d) + 0.3 * rng.standard_normal((n, d))
    little = 0.02 * rng.standard_normal((n, d))
    anew = rng.standard_normal((n, d))
    if kind == "copying":
        fake = source + little
    elif kind == "memorising":
        distance = ((real[:, None] - train[None]) ** 2).sum(axis=2)
        fake = train[distance.argmin(axis=1)] + little
    elif kind == "implausible":
        other = centres[(mode + rng.integers(1, MODES, n)) % MODES]
        fake = (centres[mode] + other) / 2 + anew
    elif kind == "collapsed":
        kept = rng.choice(MODES, MODES // 3, replace=False)
        fake = centres[kept[mode % len(kept)]] + anew
    else:
        fake = centres[mode] + anew
    return Sampled(fake, real, source, train)


def _apart(rng: np.random.Generator, d: int) -> Floats:
    """Centres of the clusters, each at least 9 standard deviations from all others: [MODES, d]."""
    centres: list[Floats] = []
    while len(centres) < MODES:
        new = 8 * rng.standard_normal(d)
        if all(np.linalg.norm(new - old) >= 9 for old in centres):
            centres.append(new)
    return np.stack(centres)


def erased(
    target: npt.ArrayLike, healthy: npt.ArrayLike, lesion: npt.ArrayLike, share: float
) -> Floats:
    """Predictions that are right but for the lesion, of which a known part is lost.

    In the lesion the prediction is ``(1 - share) target + share healthy``. Where ``healthy`` has
    there the mean of the reference tissue, contrast recovery is exactly ``1 - share``.

    Args:
        target: True images [N, H, W].
        healthy: What would be there without a lesion [N, H, W].
        lesion: bool [N, H, W].
        share: 0 keeps the lesion, 1 removes it.
    """
    true, without = np.asarray(target, np.float64), np.asarray(healthy, np.float64)
    mixed = (1 - share) * true + share * without
    return np.asarray(np.where(np.asarray(lesion, bool), mixed, true))


def hallucinated(
    target: npt.ArrayLike,
    mask: npt.ArrayLike,
    rate: float,
    delta: float,
    rng: np.random.Generator,
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Predictions of which a known share shows a bright spot that is not there.

    The spots are 5x5 pixels, twice ``delta`` brighter than the truth, in random images, around a
    random pixel whose 5x5 neighbours are all in ``mask``. All predictions have noise of standard
    deviation ``delta / 8``: far too little for a 3x3 mean above ``delta``, but single pixels of
    other images may come near.

    Args:
        target: True images [N, H, W].
        mask: Where spots may be, bool [N, H, W].
        rate: Share of the images that get one; ``round(rate N)`` do.
        delta: The difference that counts, in the unit of the images.
        rng: Source of all randomness.

    Returns:
        Predictions float64 [N, H, W], and which have a spot, bool [N].

    Raises:
        ValueError: if an image has no room for a spot.
    """
    true, looked_at = np.asarray(target, np.float64), np.asarray(mask, bool)
    pred = true + delta / 8 * rng.standard_normal(true.shape)
    guilty = np.zeros(len(true), bool)
    guilty[rng.choice(len(true), round(rate * len(true)), replace=False)] = True
    for row in np.flatnonzero(guilty):
        windows = np.lib.stride_tricks.sliding_window_view(looked_at[row], (5, 5))
        room = np.argwhere(windows.all(axis=(2, 3)))
        if not len(room):
            raise ValueError(f"the mask of image {row} has no room for a spot of 5 x 5 pixels")
        y, x = room[rng.integers(len(room))]
        pred[row, y : y + 5, x : x + 5] += 2 * delta
    return pred, guilty
