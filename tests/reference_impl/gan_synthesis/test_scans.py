"""The loaders, on the public files and on small real-looking ones made here."""

import shutil
import sys
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest

from autograder.coursekit import DataBundle
from reference_impl.gan_synthesis import headsim

DATA = Path(__file__).parents[3] / "solutions/gan_synthesis/data"
IXI = [f"IXI{number:03d}-Guys-0828" for number in range(1, 31)]


@pytest.mark.parametrize("name", ["low_to_high", "t1_to_t2"])
@pytest.mark.parametrize(("part", "count"), [("train", 128), ("val", 24), ("held_out", 40)])
def test_simulated_heads_come_with_units_labels_and_provenance(scans, name, part, count):
    data = scans.load(name, part, root=DATA)
    assert isinstance(data, DataBundle) and len(data) == count
    for images in (data.X, data.y):
        assert images.dtype == np.float32 and images.shape == (count, 64, 64)
        assert 0 <= images.min() and 0.8 < images.max() <= 1
    assert data.meta["labels"].shape == data.meta["lesion"].shape == (count, 64, 64)
    assert (data.meta["lesion"] == (data.meta["labels"] == headsim.LESION)).all()
    assert set(data.units) == {"X", "y"} and "simulated" in data.provenance and data.licence
    assert len(data.take([2, 0])) == 2


def test_the_high_field_image_is_the_target_of_one_set_and_the_source_of_the_other(scans):
    one, other = (scans.load(name, "val", root=DATA) for name in ("low_to_high", "t1_to_t2"))
    assert np.array_equal(one.y, other.X) and not np.array_equal(one.X, other.X)


def test_no_subject_is_in_two_parts(scans):
    for name in scans.NAMES:
        parts = [set(scans.load(name, part, root=DATA).meta["subject"]) for part in scans.PARTS]
        assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]


def test_pet_is_counts_and_activity(scans):
    data = scans.load("pet", "train", root=DATA)
    assert data.X.dtype == np.int64 and data.y.dtype == np.float32 and data.units["X"] == "counts"
    assert abs(data.X.sum() / (100 * data.y.sum()) - 1) < 0.01


@pytest.mark.parametrize(
    ("asked", "what"),
    [(("ct", "train", "auto"), "set"), (("pet", "test", "auto"), "part"),
     (("pet", "train", "web"), "source"), (("pet", "train", "real"), "real PET")],
)  # fmt: skip
def test_what_does_not_exist_is_refused(scans, asked, what):
    name, part, source = asked
    with pytest.raises(ValueError, match=what):
        scans.load(name, part, root=DATA, source=source)


def test_missing_files_are_named_and_nothing_is_downloaded(scans, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"heads\.npz"):
        scans.load("t1_to_t2", root=tmp_path)
    for name in ("t1_to_t2", "low_to_high"):
        with pytest.raises(FileNotFoundError, match="download them yourself"):
            scans.load(name, root=tmp_path, source="real")


def write_ixi(folder, names=IXI, shape=(140, 130, 20), t2_shape=None):
    folder.mkdir()
    for number, name in enumerate(names):
        rng = np.random.default_rng(number)
        for contrast, size in (("T1", shape), ("T2", t2_shape or shape)):
            volume = rng.uniform(0, 1000, size).astype(np.float32)
            volume[:, :, 0] = 1e6 if contrast == "T2" else 0  # one slice far above the rest
            image = nibabel.Nifti1Image(volume, np.eye(4))
            nibabel.save(image, folder / f"{name}-{contrast}.nii.gz")
    return folder


def test_ixi_volumes_are_cut_scaled_and_split_by_subject(scans, tmp_path):
    write_ixi(tmp_path / "ixi", IXI[:12])
    seen = {}
    for part in scans.PARTS:
        data = scans.load("t1_to_t2", part, root=tmp_path)  # "auto" finds the folder
        assert data.X.shape == data.y.shape == (len(data), 64, 64) and data.X.dtype == np.float32
        assert data.provenance.startswith("real") and "IXI" in data.licence
        seen[part] = set(data.meta["subject"])
        assert len(data) == 6 * len(seen[part])  # slices 8 to 13 of 20
        if len(data):
            assert data.X.min() >= 0 and data.X.max() <= 1 and (data.meta["slice"][:6] < 6).all()
    assert sum(map(len, seen.values())) == len(set.union(*seen.values())) == 12


def test_an_ixi_slice_is_the_mean_of_its_pixels_over_the_volumes_percentile(scans, tmp_path):
    folder = write_ixi(tmp_path / "ixi", IXI[:1])
    part = scans.part_of("IXI001")
    data = scans.load_ixi(folder, part)
    volume = np.asarray(nibabel.load(folder / f"{IXI[0]}-T1.nii.gz").dataobj)
    scaled = np.clip(volume / np.percentile(volume, 99.5), 0, 1)
    expected = scaled[6:8, 1:3, 8].mean()
    assert data.X[0, 0, 0] == pytest.approx(expected, abs=1e-6)


def test_ixi_volumes_on_different_grids_are_refused(scans, tmp_path):
    folder = write_ixi(tmp_path / "ixi", IXI[:1], t2_shape=(140, 130, 22))
    with pytest.raises(ValueError, match="register"):
        scans.load_ixi(folder, scans.part_of("IXI001"))


def test_an_ixi_volume_without_its_partner_is_named(scans, tmp_path):
    folder = write_ixi(tmp_path / "ixi", IXI[:1])
    (folder / f"{IXI[0]}-T2.nii.gz").unlink()
    with pytest.raises(FileNotFoundError, match="no T2-weighted partner IXI001"):
        scans.load_ixi(folder, scans.part_of("IXI001"))


def test_small_volumes_are_refused(scans, tmp_path):
    folder = write_ixi(tmp_path / "ixi", IXI[:1], shape=(60, 80, 10))
    with pytest.raises(ValueError, match="smaller than 64"):
        scans.load_ixi(folder, scans.part_of("IXI001"))


def write_fastmri(folder, patients):
    folder.mkdir()
    for number, patient in enumerate(patients):
        volume = np.random.default_rng(number).uniform(0, 1e-4, (3, 130, 128))
        with h5py.File(folder / f"file{number}.h5", "w") as file:
            file["reconstruction_rss"] = volume.astype(np.float32)
            if patient:
                file.attrs["patient_id"] = patient
    return folder


def test_fastmri_slices_are_their_own_targets_until_they_are_degraded(scans, tmp_path):
    write_fastmri(tmp_path / "fastmri", ["p1", "p1", "p2", ""])
    part = scans.part_of("p1")
    plain = scans.load("low_to_high", part, root=tmp_path)
    assert np.array_equal(plain.X, plain.y) and plain.X.shape[1:] == (64, 64)
    assert list(plain.meta["subject"][:6]) == ["p1"] * 6 and plain.y.max() <= 1
    worse = scans.load("low_to_high", part, root=tmp_path, degrade=lambda y: y / 2)
    assert np.array_equal(worse.X, plain.y / 2) and np.array_equal(worse.y, plain.y)
    assert "degraded" in worse.provenance and "equals" in plain.provenance


def test_both_files_of_a_fastmri_patient_are_in_one_part(scans, tmp_path):
    folder = write_fastmri(tmp_path / "fastmri", ["a", "b", "a", "c"])
    rows = [scans.load_fastmri(folder, part).meta["subject"] for part in scans.PARTS]
    assert sum(map(len, rows)) == 12
    assert sum("a" in part for part in rows) == 1


def test_other_h5_files_and_a_degradation_of_another_shape_are_refused(scans, tmp_path):
    folder = write_fastmri(tmp_path / "fastmri", ["p1"])
    with pytest.raises(ValueError, match="degrade made"):
        scans.load_fastmri(folder, scans.part_of("p1"), degrade=lambda y: y[:, ::2])
    with h5py.File(folder / "other.h5", "w") as file:
        file.attrs["patient_id"] = "p1"
    with pytest.raises(ValueError, match=r"other\.h5 holds no reconstruction_rss"):
        scans.load_fastmri(folder, scans.part_of("p1"))


@pytest.mark.parametrize(("package", "loader"), [("nibabel", "load_ixi"), ("h5py", "load_fastmri")])
def test_a_package_that_is_not_installed_is_named(scans, monkeypatch, tmp_path, package, loader):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"pip install {package}"):
        getattr(scans, loader)(tmp_path)


def test_simulated_data_can_be_asked_for_where_real_ones_are(scans, tmp_path):
    shutil.copy(DATA / "heads.npz", tmp_path)
    write_ixi(tmp_path / "ixi", IXI[:1])
    assert "simulated" in scans.load("t1_to_t2", "val", root=tmp_path, source="sim").provenance


def test_parts_of_real_subjects_are_of_the_stated_sizes(scans):
    parts = [scans.part_of(f"subject {number}") for number in range(3000)]
    shares = [parts.count(part) / 3000 for part in scans.PARTS]
    assert np.allclose(shares, (0.7, 0.15, 0.15), atol=0.03)


def test_the_lesions_code_is_the_simulators(scans):
    assert scans._LESION == headsim.LESION
