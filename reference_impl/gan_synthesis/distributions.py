"""Whether a set of synthetic images has the spread of the real ones, not only plausible members."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "VERDICTS",
    "frechet_distance",
    "gaussian_statistics",
    "mode_collapse_report",
    "precision_recall",
]

VERDICTS = ("copying", "memorising", "implausible", "collapsed", "faithful")
"""What :func:`mode_collapse_report` can find, in the order in which it looks."""

Floats = npt.NDArray[np.float64]


def gaussian_statistics(X: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Mean [d] and sample covariance [d, d] (divided by N - 1) of features [N, d].

    Raises:
        ValueError: if there are not more samples than features. The covariance is then singular,
            and a Fréchet distance between two such samples is far above that of their
            distributions (Chong & Forsyth, CVPR 2020): take fewer features.
    """
    features = np.asarray(X, np.float64)
    if features.ndim != 2 or len(features) <= features.shape[1]:
        raise ValueError(f"more samples than features are needed, got {features.shape}")
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


def frechet_distance(
    mu1: npt.ArrayLike, S1: npt.ArrayLike, mu2: npt.ArrayLike, S2: npt.ArrayLike
) -> float:
    """Squared Fréchet distance of two Gaussians (Dowson & Landau, J Multivar Anal 12:450, 1982).

    ``|mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))``, as used on features by Heusel et al.
    (NeurIPS 2017). The eigenvalues of ``S1 S2`` are those of the symmetric ``R S2 R`` with ``R =
    S1^(1/2)``, so nothing becomes complex, and covariances may be singular.

    Args:
        mu1: Mean [d].
        S1: Covariance [d, d], symmetric, positive semidefinite.
        mu2: Mean [d].
        S2: Covariance [d, d].

    Returns:
        The distance, at least 0, in the square of the features' unit.

    Raises:
        ValueError: if shapes do not fit.
    """
    mean1, mean2 = (np.atleast_1d(np.asarray(mu, np.float64)) for mu in (mu1, mu2))
    cov1, cov2 = (np.atleast_2d(np.asarray(S, np.float64)) for S in (S1, S2))
    d = len(mean1)
    if mean1.shape != mean2.shape or not cov1.shape == cov2.shape == (d, d):
        raise ValueError(
            f"means [d] and covariances [d, d] of one d are needed: {mean1.shape}, {cov1.shape}, "
            f"{mean2.shape}, {cov2.shape}"
        )
    values, vectors = np.linalg.eigh((cov1 + cov1.T) / 2)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    product = root @ cov2 @ root
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh((product + product.T) / 2), 0)).sum()
    distance = np.sum((mean1 - mean2) ** 2) + np.trace(cov1) + np.trace(cov2) - 2 * shared
    return max(0.0, float(distance))


def precision_recall(real: npt.ArrayLike, fake: npt.ArrayLike, k: int = 3) -> tuple[float, float]:
    """How much of ``fake`` looks real, and how much of ``real`` is covered by ``fake``.

    After Kynkäänniemi et al. (NeurIPS 2019): each sample of a set is the centre of a ball that
    reaches to its ``k``-th nearest *other* sample of that set. Precision is the share of ``fake``
    in at least one ball of ``real``, its border included; recall is the same with the sets
    exchanged. Distances are Euclidean.

    Args:
        real: Samples [N, ...], N above ``k``; each is flattened.
        fake: Samples [M, ...], M above ``k``.
        k: Which neighbour sets the radius, at least 1.

    Returns:
        ``(precision, recall)``, in [0, 1].

    Raises:
        ValueError: if a set has not more than ``k`` samples, or the samples differ in size.
    """
    a, b = _flat(real), _flat(fake)
    if k < 1 or min(len(a), len(b)) <= k:
        raise ValueError(f"k must be at least 1 and below both sizes: {k}, {len(a)}, {len(b)}")
    between = _distances(a, b)  # [N, M]
    precision = (between <= _radii(a, k)[:, None]).any(axis=0).mean()
    recall = (between <= _radii(b, k)[None, :]).any(axis=1).mean()
    return float(precision), float(recall)


def mode_collapse_report(
    fake: npt.ArrayLike,
    real: npt.ArrayLike,
    source: npt.ArrayLike,
    train: npt.ArrayLike,
    k: int = 3,
) -> dict[str, Any]:
    """What a generator does wrong, if anything, judged by a sample of what it makes.

    ``fake[i]`` was made from ``source[i]``, whose true translation is ``real[i]``; neither was
    trained on. With ``dist`` the Euclidean distance:

    - ``copy_ratio``: median of ``dist(fake[i], source[i])`` over that of ``dist(real[i],
      source[i])``. Near 0, the input is handed on as it was.
    - ``memory_ratio``: median distance of ``fake`` to the nearest ``train`` sample over that of
      ``real``. Near 0, training targets are recited.
    - ``precision``, ``recall``: of :func:`precision_recall`.

    ``verdict`` is the first that applies: ``"copying"`` if ``copy_ratio < 0.5``; ``"memorising"``
    if ``memory_ratio < 0.5``; ``"implausible"`` if ``precision < 0.5``; ``"collapsed"`` if
    ``recall < 0.6``; else ``"faithful"``.

    Args:
        fake: Generated samples [N, ...], N above ``k``; each is flattened.
        real: True translations of the same sources [N, ...].
        source: What they were made from [N, ...].
        train: Targets of the training set [M, ...].
        k: Neighbour for precision and recall.

    Returns:
        The four numbers and ``verdict``, by name.

    Raises:
        ValueError: if shapes do not fit.
    """
    made, true, given, known = (_flat(x) for x in (fake, real, source, train))
    if not made.shape == true.shape == given.shape:
        raise ValueError(f"fake, real and source differ: {made.shape}, {true.shape}, {given.shape}")
    precision, recall = precision_recall(true, made, k)
    report: dict[str, Any] = {
        "copy_ratio": _ratio(_apart(made, given), _apart(true, given)),
        "memory_ratio": _ratio(
            _distances(made, known).min(axis=1), _distances(true, known).min(axis=1)
        ),
        "precision": precision,
        "recall": recall,
    }
    applies = (
        report["copy_ratio"] < 0.5,
        report["memory_ratio"] < 0.5,
        precision < 0.5,
        recall < 0.6,
        True,
    )
    return {**report, "verdict": VERDICTS[applies.index(True)]}


def _flat(samples: npt.ArrayLike) -> Floats:
    """Samples as rows."""
    array = np.asarray(samples, np.float64)
    return array.reshape(len(array), -1)


def _distances(a: Floats, b: Floats) -> Floats:
    """Euclidean distance of every row of ``a`` from every row of ``b``: [N, M]."""
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"samples have {a.shape[1]} and {b.shape[1]} values each")
    # Not by the scalar product: of equal rows it leaves a distance that is not 0.
    return np.sqrt(np.stack([((b - row) ** 2).sum(axis=1) for row in a]))


def _radii(samples: Floats, k: int) -> Floats:
    """Distance of each row to its ``k``-th nearest other row."""
    # A row's distance to itself, 0, is the first of the sorted ones.
    return np.partition(_distances(samples, samples), k, axis=1)[:, k]


def _apart(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.linalg.norm(a - b, axis=1))


def _ratio(one: Floats, other: Floats) -> float:
    """Ratio of medians; ``nan`` where both are 0, which is below no limit."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.median(one) / np.median(other))
