"""Loaders: every set as one kind of bundle, from files on disk alone."""

import gzip
import importlib.util
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from autograder.coursekit import DataBundle
from reference_impl.gnn_drug_discovery import moldata, pli_sim
from reference_impl.gnn_drug_discovery.moldata import collate, composition, load, load_moleculenet
from reference_impl.gnn_drug_discovery.molecules import mol_to_graph
from reference_impl.gnn_drug_discovery.partition import PROJECT

pytestmark = pytest.mark.usefixtures("published")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a loader asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(text.encode()))


@pytest.fixture
def root(tmp_path):
    write(tmp_path / "solubility/solubility.csv.gz",
          "smiles,log_solubility,part\nCCO,0.5,train\nCCC,-2,train\nC,-1.25,test\n")  # fmt: skip
    write(tmp_path / "b3db/b3db.csv.gz", "smiles,enters,log_bb,group\nCCO,1,,B\nCCN,0,-1.5,A\n")
    write(tmp_path / "freesolv/freesolv.csv.gz", "smiles,expt,calc\nCCO,-5.01,-3.4\n")
    write(tmp_path / "kiba/drugs.csv.gz", "drug,smiles\nd1,CCO\nd2,CCN\n")
    write(tmp_path / "kiba/proteins.csv.gz", "protein,sequence\np1,MK\np2,GA\n")
    write(tmp_path / "kiba/pairs.csv.gz",
          "drug,protein,score,part\nd2,p1,11.5,train\nd1,p2,12,test\nd2,p2,10,test\n")  # fmt: skip
    return tmp_path


def test_compounds(root):
    data = load("solubility", root=root)
    assert data.X == ["CCO", "CCC", "C"]
    assert data.y.tolist() == [0.5, -2, -1.25]
    assert data.units["y"] == "log10(mol/L)"
    freesolv = load("freesolv", root=root)
    assert (freesolv.y.tolist(), freesolv.meta["calc"].tolist()) == ([-5.01], [-3.4])


def test_what_was_left_empty_is_nan(root):
    data = load("b3db", root=root)
    assert data.y.tolist() == [1, 0] and data.y.dtype == np.int64
    assert np.isnan(data.meta["log_bb"][0]) and data.meta["log_bb"][1] == -1.5
    assert data.meta["group"].tolist() == ["B", "A"]


def test_pairs(root):
    data = load("kiba", root=root)
    assert data.X == [("CCN", "MK"), ("CCO", "GA"), ("CCN", "GA")]
    assert data.meta["drug"].tolist() == [1, 0, 1]
    assert data.meta["target"].tolist() == [0, 1, 1]
    assert data.y.tolist() == [11.5, 12, 10]


def test_a_part_is_the_published_one(root):
    data = load("kiba", "test", root=root)
    assert data.X == [("CCO", "GA"), ("CCN", "GA")]
    assert data.meta["target"].tolist() == [1, 1]
    assert "kiba, test" in repr(data)
    with pytest.raises(ValueError, match="no part 'val'"):
        load("solubility", "val", root=root)
    with pytest.raises(ValueError, match="no part 'train'"):
        load("freesolv", "train", root=root)


def test_binding_is_real_if_it_is_on_disk_and_simulated_otherwise(root, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    assert len(load("kiba", root=root)) == 3
    assert load("kiba", root=empty).provenance == pli_sim.PROVENANCE
    assert load("kiba", root=root, source="sim").provenance == pli_sim.PROVENANCE
    with pytest.raises(FileNotFoundError, match=r"drugs\.csv\.gz is not here"):
        load("kiba", root=empty, source="real")
    (root / "kiba/proteins.csv.gz").unlink()
    assert load("kiba", root=root).name == "pli_sim"


def test_the_simulated_screen_is_the_public_one():
    data, drawn = load("pli_sim"), pli_sim.public_screen()
    assert np.array_equal(data.y, drawn.y)
    row = 17
    assert data.X[row] == (
        drawn.smiles[data.meta["drug"][row]],
        drawn.pockets[data.meta["target"][row]],
    )
    assert np.allclose(data.y, pli_sim.MEAN + sum(data.meta[name] for name in pli_sim.SHARES))


def test_what_there_is_not_is_said_in_a_sentence(root):
    with pytest.raises(ValueError, match="no set 'zinc'"):
        load("zinc", root=root)
    with pytest.raises(ValueError, match="source is"):
        load("kiba", root=root, source="web")
    with pytest.raises(ValueError, match="no simulation of solubility"):
        load("solubility", root=root, source="sim")
    with pytest.raises(ValueError, match="no measurements of pli_sim"):
        load("pli_sim", root=root, source="real")
    with pytest.raises(FileNotFoundError, match=r"freesolv\.csv\.gz is not here"):
        (root / "freesolv/freesolv.csv.gz").unlink()
        load("freesolv", root=root)


@pytest.mark.parametrize("name", moldata.SETS)
def test_every_shipped_set_is_a_bundle_with_source_licence_and_units(name):
    data = load(name, root=PROJECT / "data")
    assert isinstance(data, DataBundle)
    assert len(data.X) == len(data.y) == len(data) > 600
    assert all(len(values) == len(data) for values in data.meta.values())
    assert data.licence and data.provenance and data.units["y"]
    assert np.isfinite(data.y).all()


@pytest.fixture
def moleculenet(tmp_path):
    raw = tmp_path / "esol/raw/delaney-processed.csv"
    raw.parent.mkdir(parents=True)
    columns = ["id", "a", "b", "c", "d", "e", "f", "g", "measured", "smiles"]
    lines = [",".join(columns), "x,0,0,0,0,0,0,0,-0.77,OCC", "y,0,0,0,0,0,0,0,-3.3,c1ccccc1C"]
    raw.write_text("\n".join(lines) + "\n")
    return tmp_path


def test_moleculenet_is_read_by_pyg_from_a_file_on_disk(moleculenet):
    data = load("esol", root=moleculenet)
    assert data.X == ["OCC", "c1ccccc1C"]
    assert data.y == pytest.approx([-0.77, -3.3])
    assert data.units["y"] == "log10(mol/L)"


def test_moleculenet_is_never_downloaded(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"HIV|Lipophilicity\.csv is not here"):
        load("lipo", root=tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="no set"):
        load_moleculenet("zinc", tmp_path)


def test_several_tasks_keep_their_gaps(tmp_path):
    raw = tmp_path / "clintox/raw/clintox.csv"
    raw.parent.mkdir(parents=True)
    raw.write_text("smiles,FDA_APPROVED,CT_TOX\nCCO,1,0\nCCN,0,\n")
    data = load("clintox", root=tmp_path)
    assert data.y.shape == (2, 2)
    assert np.isnan(data.y[1, 1]) and data.y[0].tolist() == [1, 0]


def test_the_published_copies_work_beside_each_other(tmp_path, monkeypatch):
    folder = Path(moldata.__file__).parent
    for name in ("moldata", "pli_sim"):
        (tmp_path / f"{name}.py").write_bytes((folder / f"{name}.py").read_bytes())
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = importlib.util.spec_from_file_location("moldata", tmp_path / "moldata.py")
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    assert copy.load("pli_sim").provenance == pli_sim.PROVENANCE
    monkeypatch.delitem(sys.modules, "pli_sim")


def test_collating_shifts_the_numbers_of_atoms():
    graphs = [mol_to_graph(text) for text in ("CCO", "C", "CC")]
    x, edge_index, edge_attr, batch = collate(graphs)
    assert len(x) == 6 and len(edge_attr) == 6
    assert edge_index.tolist() == [[0, 1, 1, 2, 4, 5], [1, 0, 2, 1, 5, 4]]
    assert batch.tolist() == [0, 0, 0, 1, 2, 2]
    assert all(part.dtype == torch.int64 for part in (x, edge_index, edge_attr, batch))


def test_collating_nothing_or_no_molecule_is_an_error():
    with pytest.raises(ValueError, match="no graphs"):
        collate([])
    with pytest.raises(ValueError, match=r"rows \[1\]"):
        collate([mol_to_graph("C"), None])


def test_composition_is_a_share_of_the_known_letters():
    found = composition(["AAC", "WXX", "", "MK"])
    assert found.shape == (4, 20) and found.dtype == np.float32
    assert found[0, 0] == pytest.approx(2 / 3) and found[0, 1] == pytest.approx(1 / 3)
    assert found[1].sum() == 1 and found[2].sum() == 0
    assert composition([]).shape == (0, 20)


def test_codes_count_one_more_than_the_vocabulary():
    assert moldata.NODE_DIMS == (13, 6, 4, 6, 3, 3)
    assert moldata.EDGE_DIMS == (5, 3)
