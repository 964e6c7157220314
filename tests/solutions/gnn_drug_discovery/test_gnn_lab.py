"""What students are given beside the notebook does what its docstrings say."""

import importlib.util
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from autograder import coursekit
from reference_impl.gnn_drug_discovery import baselines, layers, moldata, molecules

PROJECT = Path(__file__).parents[3]
FOLDER = PROJECT / "solutions/gnn_drug_discovery"
DECALIN, BICYCLOPENTYL = "C1CCC2CCCCC2C1", "C1CCC(C1)C1CCCC1"


@pytest.fixture(scope="module")
def lab():
    pytest.importorskip("matplotlib").use("Agg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "moldata", moldata)
        patch.setitem(sys.modules, "coursekit", coursekit)
        spec = importlib.util.spec_from_file_location("gnn_lab", FOLDER / "gnn_lab.py")
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, "gnn_lab", module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The folder that students have, made as the recipe says."""
    folder = tmp_path_factory.mktemp("student")
    stage = tomllib.loads((FOLDER / "assignment.toml").read_text("utf-8"))["stage"]
    sources = {target: PROJECT / source for target, source in stage.items()}
    sources |= {f"data/{path.name}": path for path in (FOLDER / "data").iterdir()}
    for target, source in sources.items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        (folder / target).symlink_to(source)
    return folder / "data"


@pytest.fixture(scope="module")
def graphs():
    return [molecules.mol_to_graph(text) for text in ("CCO", "C", "c1ccccc1", "CC(=O)O", "CCN")]


def test_parts_are_disjoint_and_share_no_family(lab, data):
    parts = [lab.load_solubility(part, data) for part in lab.PARTS]
    everything = lab.load_solubility("all", data)
    assert sorted(text for part in parts for text in part.X) == sorted(everything.X)
    families = [set(lab.scaffold_names(part.X, data)) for part in parts]
    assert not families[0] & families[1] | families[0] & families[2] | families[1] & families[2]


def test_part_keeps_units_and_source(lab, data):
    part = lab.load_solubility("val", data)
    assert "mol/L" in part.units["y"]
    assert part.provenance == lab.load_solubility("all", data).provenance
    assert "val" in part.name


def test_unknown_part_is_refused_with_the_parts_there_are(lab, data):
    with pytest.raises(ValueError, match="'train', 'val', 'test'"):
        lab.load_solubility("testing", data)


@pytest.mark.parametrize("name", ["solubility", "kiba"])
def test_given_graphs_are_those_of_the_reference(lab, data, name):
    bundle = moldata.load(name, root=data)
    texts = [row if isinstance(row, str) else row[0] for row in bundle.X][::37]
    for text, given in zip(texts, lab.given_graphs(texts, data), strict=True):
        expected = molecules.mol_to_graph(text)
        assert given.keys() == expected.keys()
        for key, value in expected.items():
            assert given[key].dtype == torch.int64
            assert torch.equal(given[key], value)


def test_molecule_without_a_given_graph_is_named(lab, data):
    with pytest.raises(KeyError, match="CCCCCCCCCCCCCCCCCCCCCCCCCCCCC"):
        lab.given_graphs(["C" * 29], data)


def test_two_tasks_hold_gaps_and_both_collections(lab, data):
    solubility, brain = lab.load_solubility("train", data), moldata.load("b3db", root=data)
    tasks = lab.two_tasks(solubility, brain, rows=300)
    known = ~np.isnan(tasks.y)
    assert known.any(axis=1).all()
    assert not known.all()
    assert set(np.unique(tasks.y[known])) == {0.0, 1.0}
    assert known[:, 0].sum() >= 0.95 * len(solubility)
    assert 0.15 < tasks.meta["held_out"].mean() < 0.35


def test_descriptors_and_ridge_agree_with_the_reference(lab):
    smiles = ["CCO", "c1ccccc1", "CC(=O)Nc1ccc(O)cc1", "CCCCCC", "OC(=O)c1ccccc1"]
    found = lab.descriptors(smiles)
    assert np.allclose(found, baselines.descriptors(smiles))
    standard = (found - found.mean(axis=0)) / found.std(axis=0)
    y = np.array([1.0, -2.0, -1.0, -4.0, -1.5])
    assert np.allclose(lab.ridge(standard, y, standard), baselines.ridge((found, y), found))


def test_nearest_similarity_of_a_known_molecule_is_one(lab):
    assert lab.nearest_similarity(["CCO", "c1ccccc1"], ["OCC"]) == pytest.approx([1.0])
    assert lab.nearest_similarity(["CCO"], ["c1ccccc1"])[0] < 0.3


def test_refined_colours_cannot_tell_decalin_from_bicyclopentyl(lab):
    for rounds in range(5):
        first, second = lab.refined_colours([DECALIN, BICYCLOPENTYL], rounds)
        assert sorted(first) == sorted(second)
    assert len(set(first)) == 3
    first, second = lab.refined_colours(["CC(C)C", "CCCC"], 1)
    assert sorted(first) != sorted(second)


def test_difference_to_the_library_is_nothing_for_the_right_layer_and_something_for_a_wrong_one(
    lab,
):
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    edges = torch.tensor([[0, 1, 2, 3, 3], [1, 0, 0, 4, 5]])
    assert lab.gcn_difference(layers.gcn_layer, x, edges) < 1e-12
    assert lab.gcn_difference(lambda x, edges, W, b: x @ W + b, x, edges) > 1e-3


def test_encoder_answers_each_molecule_by_itself(lab, graphs):
    torch.manual_seed(0)
    encoder = lab.GraphEncoder(moldata.NODE_DIMS, moldata.EDGE_DIMS, h=8, L=2)
    together = encoder(*moldata.collate(graphs))
    alone = torch.cat([encoder(*moldata.collate([graph])) for graph in graphs])
    assert together.shape == (len(graphs), 8)
    assert torch.allclose(together, alone, atol=1e-5)


def test_count_net_knows_its_answers_in_evaluation_mode_alone(lab, graphs):
    model = lab.CountNet(mean=-3.0, std=2.0)
    batch = moldata.collate(graphs)
    atoms = torch.tensor([float(len(graph["x"])) for graph in graphs])
    assert torch.allclose(model.eval()(*batch), (atoms - 10) / 5, atol=1e-5)
    assert not torch.allclose(model.train()(*batch), (atoms - 10) / 5, atol=0.1)
    assert torch.allclose(model.eval()(*batch), (atoms - 10) / 5, atol=1e-5)
    assert (float(model.target_mean), float(model.target_std)) == (-3.0, 2.0)


def test_training_on_pairs_lowers_the_loss_and_ends_in_evaluation_mode(lab, graphs):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(4, 1)

        def forward(self, x, edge_index, edge_attr, batch, protein):
            return self.head(protein)[:, 0]

    torch.manual_seed(0)
    protein = np.random.default_rng(0).normal(size=(5, 4))
    net = Net()
    losses = lab.train_pairs(net, graphs, protein, protein[:, 0], epochs=200, rate=0.05)
    assert len(losses) == 200
    assert losses[-1] < 0.1 * losses[0]
    assert not net.training


@pytest.mark.parametrize("colours", [None, [[0, 1, 2]]])
def test_figures_are_drawn(lab, monkeypatch, colours):
    shown = []
    monkeypatch.setattr(lab.plt, "show", lambda: shown.append(lab.plt.gcf()))
    lab.show_molecules(["CCO"], ["ethanol"], "One", colours)
    lab.show_graph("CCO", molecules.mol_to_graph("CCO"))
    lab.show_histogram({"a": np.arange(9.0), "b": np.arange(5.0)}, "x (unit)", "y", "h")
    lab.show_lines({"a": ([0, 1], [1, 2])}, "x", "y", "h")
    lab.show_predictions(np.arange(4.0), {"a": np.arange(4.0), "b": np.zeros(4)}, "unit", "made up")
    lab.show_intervals({"a": (0.0, -1.0, 1.0)}, "x", "h")
    assert len(shown) == 6
    lab.plt.close("all")
