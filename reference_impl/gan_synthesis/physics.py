"""What a spin-echo image shows: tissue, field strength and the times the operator chose."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["spin_echo", "t1_at_field"]

Floats = npt.NDArray[np.float64]


def t1_at_field(A: npt.ArrayLike, C: npt.ArrayLike, B0: npt.ArrayLike) -> Floats:
    """Longitudinal relaxation time ``T1 = A B0^C`` at another field strength.

    The law, fitted for each tissue, is that of the MR Shepp-Logan phantom (Gach, Tanase & Boada,
    19th International Conference on Systems Engineering, 2008).

    Args:
        A: T1 at 1 tesla, seconds.
        C: Exponent, no unit; 0 where T1 does not depend on the field, as in liquor.
        B0: Field strength, tesla, above 0.

    Returns:
        T1 in seconds, float64, of the arguments' common shape after broadcasting.

    Raises:
        ValueError: if a field strength is not above 0.
    """
    field = np.asarray(B0, np.float64)
    if not (field > 0).all():
        raise ValueError(f"B0 must be above 0 tesla, not {field.min()}")
    return np.asarray(np.asarray(A, np.float64) * field ** np.asarray(C, np.float64))


def spin_echo(
    pd: npt.ArrayLike, t1: npt.ArrayLike, t2: npt.ArrayLike, tr: npt.ArrayLike, te: npt.ArrayLike
) -> Floats:
    """Signal of a spin echo, ``pd (1 - exp(-tr / t1)) exp(-te / t2)``.

    The equation holds for TE much shorter than TR (Haacke et al., Magnetic Resonance Imaging:
    Physical Principles and Sequence Design, 1999). All times are in **seconds**: 500 ms is 0.5.

    Args:
        pd: Proton density, no unit; 0 where there is nothing to see, as in air.
        t1: Longitudinal relaxation time, s, above 0.
        t2: Transverse relaxation time, s, above 0.
        tr: Repetition time, s, at least 0.
        te: Echo time, s, at least 0.

    Returns:
        Signal in the unit of ``pd``, float64, of the arguments' common shape after broadcasting.

    Raises:
        ValueError: if a relaxation time is not above 0, or TR or TE is negative.
    """
    density, longitudinal, transverse, repetition, echo = (
        np.asarray(value, np.float64) for value in (pd, t1, t2, tr, te)
    )
    _check(longitudinal > 0, "t1 must be above 0 seconds")
    _check(transverse > 0, "t2 must be above 0 seconds")
    _check((repetition >= 0).all() and (echo >= 0).all(), "tr and te must not be negative")
    recovered = -np.expm1(-repetition / longitudinal)
    return np.asarray(density * recovered * np.exp(-echo / transverse))


def _check(holds: Any, problem: str) -> None:
    if not np.all(holds):
        raise ValueError(problem)
