"""A simulator of drugs that bind to pockets, in which every share of the variance is known.

**These are no measurements.** A drug is one of six ring systems that carries three substituents; a
pocket is a string of twelve amino acids. Affinity, in arbitrary units, is

    y = mean + s[ring] + sum over substituents f of u[f]     (the drug's part)
             + sum over residues r of v[r]                   (the pocket's part)
             + sum over f and r of W[f, r]                   (interaction)
             + noise

Rings, substituents and residues are drawn independently and evenly. ``s``, ``u`` and ``v`` have
mean 0, and ``W`` has mean 0 along each row and each column, so that all terms are uncorrelated: the
shares of the variance simply add, and :func:`world` scales each to what is asked for. Because a row
and a column of ``W`` average to 0, no knowledge of drugs alone, and none of pockets alone, tells
anything of the interaction. ``W`` has rank 2: two properties of a substituent meet two of a
residue.

Real affinities do not come with this table of shares. That is what the simulator is for: on it one
can see how much of the interaction a model has found, and how much it owes to its two parts.

Only NumPy is needed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "FRAGMENTS",
    "MEAN",
    "PROVENANCE",
    "PUBLIC_SEED",
    "RESIDUES",
    "RINGS",
    "SHARES",
    "Screen",
    "World",
    "public_screen",
    "screen",
    "world",
]

PROVENANCE = "simulated by pli_sim 1.0; no measurement"
PUBLIC_SEED = 20261123

RINGS = (
    "c5({})cc({})cc({})c5",
    "c5({})nc({})cc({})c5",
    "c5({})nc({})nc({})c5",
    "c5({})cc({})c6cc({})ccc6c5",
    "c5({})cc6cc({})c({})cc6[nH]5",
    "C5({})CC({})CC({})C5",
)
"""Benzene, pyridine, pyrimidine, naphthalene, indole and cyclohexane, with three places each."""

FRAGMENTS = (
    "C", "CC", "C(C)C", "C(F)(F)F", "C#N", "C(=O)O", "C(=O)N", "C(=O)C",
    "N", "N(C)C", "O", "OC", "F", "Cl", "S(=O)(=O)N", "c1ccccc1",
)  # fmt: skip
"""Substituents, each written from the atom that is bound to the ring."""

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
"""Amino acids of a pocket, in the order of ``World.residue``."""

SHARES = {"ligand": 0.35, "pocket": 0.25, "interaction": 0.30, "noise": 0.10}
"""Shares of the variance unless others are asked for."""

MEAN = 6.0
"""Mean affinity; the standard deviation is 1."""

_PLACES = 3
_POCKET = 12
_RANK = 2
_RING_SHARE = 0.25

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True)
class World:
    """What decides affinity; the same for all drugs and pockets of a screen."""

    ring: Array
    """``s``, float64 [6]"""
    fragment: Array
    """``u``, float64 [16]"""
    residue: Array
    """``v``, float64 [20]"""
    contact: Array
    """``W``, float64 [16, 20]"""
    noise: float
    """Standard deviation of the noise"""


@dataclasses.dataclass(frozen=True)
class Screen:
    """Drugs, pockets, and the affinity of some of their pairs."""

    smiles: list[str]
    """Drugs [L]; no two are the same"""
    pockets: list[str]
    """Pockets [P], twelve letters each; no two are the same"""
    pairs: Array
    """int64 [N, 2], drug and pocket of each row; no two are the same"""
    y: Array
    """float64 [N], affinity"""
    parts: Mapping[str, Array]
    """``ligand``, ``pocket``, ``interaction`` and ``noise``, [N] each: their sum is ``y - MEAN``"""


def world(rng: np.random.Generator, shares: Mapping[str, float] = SHARES) -> World:
    """Draw what decides affinity, with a variance of 1 divided as ``shares`` says.

    Args:
        rng: Chooses every number.
        shares: Of ``ligand``, ``pocket``, ``interaction`` and ``noise``; they sum to 1.

    Raises:
        ValueError: if shares are missing, negative or do not sum to 1.
    """
    if set(shares) != set(SHARES) or min(shares.values()) < 0:
        raise ValueError(f"a share of at least 0 for each of {', '.join(SHARES)}")
    if not np.isclose(sum(shares.values()), 1):
        raise ValueError(f"shares must sum to 1, not to {sum(shares.values())}")
    ring = _centred(rng.standard_normal(len(RINGS)))
    fragment = _centred(rng.standard_normal(len(FRAGMENTS)))
    residue = _centred(rng.standard_normal(len(RESIDUES)))
    a = _centred(rng.standard_normal((len(FRAGMENTS), _RANK)))
    b = _centred(rng.standard_normal((len(RESIDUES), _RANK)))
    return World(
        ring=_scaled(ring, _RING_SHARE * shares["ligand"]),
        fragment=_scaled(fragment, (1 - _RING_SHARE) * shares["ligand"] / _PLACES),
        residue=_scaled(residue, shares["pocket"] / _POCKET),
        contact=_scaled(a @ b.T, shares["interaction"] / (_PLACES * _POCKET)),
        noise=float(np.sqrt(shares["noise"])),
    )


def screen(
    given: World,
    rng: np.random.Generator,
    ligands: int = 200,
    pockets: int = 100,
    pairs: int = 4000,
) -> Screen:
    """Draw drugs and pockets, and measure some of their pairs, each once.

    Args:
        given: What decides affinity.
        rng: Chooses drugs, pockets, pairs and the noise.
        ligands: Number of drugs, L.
        pockets: Number of pockets, P.
        pairs: Number of pairs, N.

    Raises:
        ValueError: if there are not so many pairs, or not so many drugs.
    """
    if pairs > ligands * pockets:
        raise ValueError(f"{ligands} drugs and {pockets} pockets have no {pairs} pairs")
    if ligands > 2000:
        raise ValueError("there are few more than 2,000 different drugs; ask for fewer")
    drawn: dict[tuple[int, ...], None] = {}
    while len(drawn) < ligands:
        chosen = sorted(rng.integers(len(FRAGMENTS), size=_PLACES).tolist())
        drawn[(int(rng.integers(len(RINGS))), *chosen)] = None
    strings: dict[tuple[int, ...], None] = {}
    while len(strings) < pockets:
        strings[tuple(rng.integers(len(RESIDUES), size=_POCKET).tolist())] = None
    ring_of, *places = np.array(list(drawn)).T  # [L] each
    fragment_of, residue_of = np.stack(places, axis=1), np.array(list(strings))  # [L, 3], [P, 12]

    rows = rng.choice(ligands * pockets, size=pairs, replace=False)
    drug, pocket = np.divmod(rows, pockets)
    of_drug = given.ring[ring_of] + given.fragment[fragment_of].sum(axis=1)  # [L]
    of_pocket = given.residue[residue_of].sum(axis=1)  # [P]
    meetings = _counts(fragment_of, len(FRAGMENTS)) @ given.contact  # [L, 20]
    of_both = meetings @ _counts(residue_of, len(RESIDUES)).T  # [L, P]
    parts = {
        "ligand": of_drug[drug],
        "pocket": of_pocket[pocket],
        "interaction": of_both[drug, pocket],
        "noise": given.noise * rng.standard_normal(pairs),
    }
    return Screen(
        smiles=[RINGS[ring].format(*(FRAGMENTS[f] for f in chosen)) for ring, *chosen in drawn],
        pockets=["".join(RESIDUES[r] for r in letters) for letters in strings],
        pairs=np.column_stack([drug, pocket]).astype(np.int64),
        y=MEAN + sum(parts.values()),
        parts=parts,
    )


def public_screen() -> Screen:
    """The screen that everybody has: 200 drugs, 100 pockets, 4,000 of their 20,000 pairs."""
    rng = np.random.default_rng(PUBLIC_SEED)
    return screen(world(rng), rng)


def _centred(values: Array) -> Array:
    """``values`` with mean 0 along the first axis."""
    return values - values.mean(axis=0)


def _scaled(values: Array, variance: float) -> Array:
    """``values``, which have mean 0, scaled so that their mean square is ``variance``."""
    return values * np.sqrt(variance / (values**2).mean())


def _counts(members: Array, kinds: int) -> Array:
    """How often each kind is in each row, int64 [rows, kinds]."""
    return (members[:, :, None] == np.arange(kinds)).sum(axis=1)
