"""Loaders of the assignment's images: simulated ones beside the notebook, or real ones on disk.

``load(name, part, *, root, source)`` gives a :class:`coursekit.DataBundle` for

- ``"low_to_high"``: T1-weighted heads at 0.064 T (``X``) and 1.5 T (``y``),
- ``"t1_to_t2"``: T1-weighted (``X``) and T2-weighted heads (``y``) at 1.5 T,
- ``"pet"``: counts of a full dose (``X``) and the true activity (``y``).

Nothing is ever downloaded.
"""

from __future__ import annotations

from pathlib import Path

from coursekit import DataBundle

__all__ = ["NAMES", "PARTS", "load", "load_fastmri", "load_ixi"]

NAMES = ("low_to_high", "t1_to_t2", "pet")
PARTS = ("train", "val", "held_out")


def load(
    name: str, part: str = "train", *, root: str | Path = "data", source: str = "auto"
) -> DataBundle:
    """Images of one set.

    ``X`` and ``y`` are float32 [N, 64, 64] in [0, 1] (``pet``: int64 counts and float32 activity).
    ``meta`` holds ``subject``, and for simulated heads ``labels`` uint8 [N, 64, 64] (codes of
    ``headsim``, the most frequent in the pixel) and ``lesion`` bool [N, 64, 64].
    """
    raise NotImplementedError


def load_ixi(root: str | Path, part: str = "train") -> DataBundle:
    """T1- and T2-weighted slices of a folder of IXI volumes (``IXI002-Guys-0828-T1.nii.gz``)."""
    raise NotImplementedError


def load_fastmri(root: str | Path, part: str = "train") -> DataBundle:
    """Slices of a folder of fastMRI files (``reconstruction_rss`` in ``.h5``), source = target."""
    raise NotImplementedError
