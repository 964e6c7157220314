"""Loaders of the assignment's images: simulated ones beside the notebook, or real ones on disk.

:func:`load` gives a :class:`coursekit.DataBundle` for one of :data:`NAMES`:

- ``"low_to_high"``: T1-weighted heads at 0.064 T (``X``) and at 1.5 T (``y``)
- ``"t1_to_t2"``: T1-weighted (``X``) and T2-weighted heads (``y``) at 1.5 T
- ``"pet"``: counts at full dose (``X``) and the activity they were drawn from (``y``)

Real images are read by :func:`load_ixi` and :func:`load_fastmri`, in the layout in which these data
sets are distributed. Nothing is ever downloaded: get the files yourself, under their terms.

Real volumes need ``nibabel`` (NIfTI) or ``h5py`` (fastMRI), which are imported only there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from coursekit import DataBundle

__all__ = ["NAMES", "PARTS", "load", "load_fastmri", "load_ixi"]

NAMES = ("low_to_high", "t1_to_t2", "pet")
"""Sets that :func:`load` knows."""
PARTS = ("train", "val", "held_out")
"""Parts of each set; no subject is in two of them."""
FULL_SCALE = "fraction of full scale"
"""Unit of MR images, which have no physical one."""

Array = npt.NDArray[Any]
Degrade = Callable[[Array], Array]


def load(
    name: str,
    part: str = "train",
    *,
    root: str | Path = "data",
    source: str = "auto",
    degrade: Degrade | None = None,
) -> DataBundle:
    """Images of one part of one set.

    Args:
        name: One of :data:`NAMES`.
        part: One of :data:`PARTS`.
        root: Folder with ``heads.npz`` and ``pet.npz``; real data in ``ixi/`` (``t1_to_t2``) and
            ``fastmri/`` (``low_to_high``) below it.
        source: ``"sim"``, ``"real"``, or ``"auto"``: real if their folder is there, else simulated.
        degrade: For real ``low_to_high`` only: makes low-field images of high-field ones, arrays
            [N, H, W] to the same; see :func:`load_fastmri`.

    Returns:
        ``X`` and ``y`` float32 [N, H, W] in [0, 1]; for ``pet``, ``X`` int64 counts and ``y``
        float32. ``meta`` has ``subject``, text [N]; simulated ones also ``labels``, uint8
        [N, H, W], the tissue that has most of each pixel (codes of ``headsim``), and ``lesion``,
        bool [N, H, W].

    Raises:
        ValueError: if there is no such set, part or source.
        FileNotFoundError: if the files are not on disk.
    """
    _check(name, NAMES, "set")
    _check(part, PARTS, "part")
    _check(source, ("auto", "sim", "real"), "source")
    folder = Path(root)
    real = {"t1_to_t2": folder / "ixi", "low_to_high": folder / "fastmri"}.get(name)
    if source == "real" and real is None:
        raise ValueError("there is no loader for real PET; take source='sim'")
    if real is not None and (source == "real" or (source == "auto" and real.is_dir())):
        return load_ixi(real, part) if name == "t1_to_t2" else load_fastmri(real, part, degrade)
    return _load_simulated(name, part, folder)


def _load_simulated(name: str, part: str, folder: Path) -> DataBundle:
    file = folder / ("pet.npz" if name == "pet" else "heads.npz")
    if not file.is_file():
        raise FileNotFoundError(f"{file} is not there; it comes with the notebook")
    with np.load(file, allow_pickle=False) as stored:
        rows = np.flatnonzero(stored["part"] == part)
        arrays = {key: stored[key][rows] for key in stored.files if stored[key].ndim}
        provenance = str(stored["provenance"])
    if name == "pet":
        X, y = arrays["counts"].astype(np.int64), arrays["activity"].astype(np.float32)
        units = {"X": "counts", "y": "activity relative to white matter"}
    else:
        low_to_high = name == "low_to_high"
        X, y = (
            arrays[key].astype(np.float32) / 255
            for key in (("low", "t1w") if low_to_high else ("t1w", "t2w"))
        )
        units = {"X": FULL_SCALE, "y": FULL_SCALE}
    labels = arrays["labels"]
    return DataBundle(
        X=X,
        y=y,
        meta={"subject": arrays["subject"], "labels": labels, "lesion": labels == _LESION},
        units=units,
        licence="Apache-2.0",
        provenance=provenance,
        name=f"{name}/{part}",
    )


_LESION = 7  # headsim.LESION; this file stands alone


def load_ixi(
    root: str | Path, part: str = "train", slices: tuple[float, float] = (0.4, 0.7), size: int = 64
) -> DataBundle:
    """T1- and T2-weighted slices of a folder of IXI volumes.

    Files are named as IXI names them: ``IXI002-Guys-0828-T1.nii.gz`` beside ``...-T2.nii.gz``.
    As distributed, the two contrasts are on different grids: register them first, for example
    with ANTs or FSL. The last axis counts the slices. Each volume is divided by its own 99.5th
    percentile, once, so that its slices keep their relations; each slice is cut to its centre and
    averaged down. Subjects are assigned to parts by a hash of their number.

    Args:
        root: The folder; it is searched recursively.
        part: One of :data:`PARTS`.
        slices: First and last slice, as shares of the volume.
        size: Pixels along each side.

    Returns:
        ``X`` T1-weighted, ``y`` T2-weighted, float32 [N, size, size] in [0, 1]; ``meta`` has
        ``subject`` and ``slice``.

    Raises:
        FileNotFoundError: if there are no volumes, or one lacks its partner.
        ValueError: if two volumes of a subject are on different grids.
        ImportError: if ``nibabel`` is not installed.
    """
    nibabel = _optional("nibabel", "NIfTI volumes")
    files = _files(root, ("*-T1.nii", "*-T1.nii.gz"), "IXI volumes such as IXI002-Guys-0828-T1.nii")

    def read() -> Iterator[tuple[str, Array, Array]]:
        for file in files:
            subject, partner = file.name.split("-")[0], _partner(file)
            if part_of(subject) == part:
                t1 = np.asarray(nibabel.load(file).dataobj, np.float32)
                t2 = np.asarray(nibabel.load(partner).dataobj, np.float32)
                if t1.shape != t2.shape or t1.ndim != 3:
                    raise ValueError(
                        f"{file.name} {t1.shape} and {partner.name} {t2.shape} are on different "
                        "grids: register T2 to T1 first"
                    )
                chosen = slice(*(round(share * t1.shape[2]) for share in slices))
                one, other = (np.moveaxis(_scaled(v), 2, 0)[chosen] for v in (t1, t2))
                yield subject, one, other

    provenance = f"real: {len(files)} IXI subjects in {Path(root).name}, centre of each slice"
    return _bundle(f"IXI T1 to T2/{part}", read(), size, provenance, "CC BY-SA 3.0 (IXI)")


def load_fastmri(
    root: str | Path, part: str = "train", degrade: Degrade | None = None, size: int = 64
) -> DataBundle:
    """Slices of a folder of fastMRI files, and what ``degrade`` makes of them.

    Each ``.h5`` file holds a volume ``reconstruction_rss`` [slices, H, W]. There is no low-field
    partner, and T1 at another field cannot be had from an image: ``degrade`` can blur and add
    noise, no more. Each volume is divided by its own 99.5th percentile, once. Files are assigned
    to parts by a hash of their ``patient_id``, or of their name where they have none.

    Args:
        root: The folder; it is searched recursively.
        part: One of :data:`PARTS`.
        degrade: Makes ``X`` of ``y``, arrays [N, size, size]; not given, ``X`` equals ``y``.
        size: Pixels along each side.

    Returns:
        ``X`` and ``y``, float32 [N, size, size] in [0, 1]; ``meta`` has ``subject`` and ``slice``.

    Raises:
        FileNotFoundError: if there are no files.
        ValueError: if a file has no ``reconstruction_rss``.
        ImportError: if ``h5py`` is not installed.
    """
    h5py = _optional("h5py", "fastMRI files")
    files = _files(root, ("*.h5",), "fastMRI files (.h5)")

    def read() -> Iterator[tuple[str, Array, Array]]:
        for file in files:
            with h5py.File(file) as stored:
                subject = str(stored.attrs.get("patient_id", file.stem))
                if part_of(subject) != part:
                    continue
                if "reconstruction_rss" not in stored:
                    raise ValueError(f"{file.name} holds no reconstruction_rss")
                volume = _scaled(np.asarray(stored["reconstruction_rss"], np.float32))
            yield subject, volume, volume

    how = "X equals y" if degrade is None else "X degraded from y, not measured at low field"
    provenance = f"real: {len(files)} fastMRI files in {Path(root).name}; {how}"
    licence = "fastMRI data use agreement; not to be passed on"
    bundle = _bundle(f"fastMRI/{part}", read(), size, provenance, licence)
    if degrade is not None:
        lower = np.asarray(degrade(bundle.y), np.float32)
        if lower.shape != bundle.y.shape:
            raise ValueError(f"degrade made {lower.shape} of {bundle.y.shape}")
        bundle = dataclasses.replace(bundle, X=lower)
    return bundle


def part_of(subject: str) -> str:
    """The part that a real subject belongs to, by a hash: 70 % train, 15 % val, 15 % held out."""
    number = int.from_bytes(hashlib.sha256(subject.encode()).digest()[:4], "little") / 2**32
    return PARTS[0] if number < 0.70 else PARTS[1] if number < 0.85 else PARTS[2]


def _check(value: str, choices: tuple[str, ...], what: str) -> None:
    if value not in choices:
        raise ValueError(f"there is no {what} {value!r}; choose one of {choices}")


def _optional(module: str, what: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(f"reading {what} needs {module}: pip install {module}") from None


def _files(root: str | Path, patterns: tuple[str, ...], what: str) -> list[Path]:
    files = sorted(file for pattern in patterns for file in Path(root).rglob(pattern))
    if not files:
        raise FileNotFoundError(f"no {what} in {root}; download them yourself, then try again")
    return files


def _partner(file: Path) -> Path:
    stem = file.name.split("-T1.nii")[0]
    for ending in (".nii.gz", ".nii"):
        partner = file.with_name(f"{stem}-T2{ending}")
        if partner.is_file():
            return partner
    raise FileNotFoundError(f"{file.name} has no T2-weighted partner {stem}-T2.nii.gz")


def _scaled(volume: Array) -> Array:
    return np.clip(volume / max(float(np.percentile(volume, 99.5)), 1e-12), 0, 1)


def _bundle(
    name: str, volumes: Iterator[tuple[str, Array, Array]], size: int, provenance: str, licence: str
) -> DataBundle:
    """Slices of volumes (subject, X, y) as a bundle."""
    X: list[Array] = []
    y: list[Array] = []
    subjects: list[str] = []
    numbers: list[int] = []
    for subject, one, other in volumes:
        X += [_shrunk(image, size) for image in one]
        y += [_shrunk(image, size) for image in other]
        subjects += [subject] * len(one)
        numbers += range(len(one))
    empty = np.zeros((0, size, size), np.float32)
    return DataBundle(
        X=np.stack(X) if X else empty,
        y=np.stack(y) if y else empty,
        meta={"subject": np.array(subjects, str), "slice": np.array(numbers, np.int64)},
        units={"X": FULL_SCALE, "y": FULL_SCALE},
        licence=licence,
        provenance=provenance,
        name=name,
    )


def _shrunk(image: Array, size: int) -> npt.NDArray[np.float32]:
    """The largest centred square whose side is a multiple of ``size``, averaged down."""
    factor = min(image.shape) // size
    if factor < 1:
        raise ValueError(f"slices of {image.shape} pixels are smaller than {size} x {size}")
    side = factor * size
    top, left = ((n - side) // 2 for n in image.shape)
    square = image[top : top + side, left : left + side]
    means = square.reshape(size, factor, size, factor).mean(axis=(1, 3))
    return np.asarray(means, np.float32)
