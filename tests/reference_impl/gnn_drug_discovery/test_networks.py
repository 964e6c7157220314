"""The networks see what message passing sees, add up over atoms, and keep molecules apart."""

import numpy as np
import pytest
import torch
from rdkit import Chem
from torch import nn
from torch_geometric.nn import GINEConv

from reference_impl.gnn_drug_discovery.moldata import EDGE_DIMS, NODE_DIMS, collate, composition
from reference_impl.gnn_drug_discovery.molecules import mol_to_graph
from reference_impl.gnn_drug_discovery.networks import (
    SIZE,
    DTANet,
    GINELayer,
    MolGNN,
    stirred,
)

SMILES = ["CC(=O)Oc1ccccc1C(=O)O", "CCO", "C", "C[C@@H](C(=O)O)N", "[Na+].CC(=O)[O-]"]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = MolGNN(NODE_DIMS, EDGE_DIMS, h=16, L=3)
    with torch.no_grad():  # statistics as after some training, not the identity
        made.train()
        for _ in range(20):
            made(*batch(*SMILES))
    return made.eval()


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def batch(*smiles):
    return collate([mol_to_graph(text) for text in smiles])


def far(a, b):
    return float((a - b).abs().max())


def test_shapes_and_dtypes(model):
    assert model(*batch(*SMILES)).shape == (5,)
    assert model.embed(*batch(*SMILES)).shape == (5, 16)
    assert model(*batch("C")).dtype == torch.float32


def test_a_layer_is_pygs_with_norm_and_a_way_round():
    torch.manual_seed(0)
    layer = GINELayer(8).double().eval()
    layer.eps.fill_(0.25)
    h, e = torch.randn(5, 8).double(), torch.randn(6, 8).double()
    edge_index = torch.tensor([[0, 1, 1, 2, 3, 3], [1, 0, 2, 1, 3, 0]])
    oracle = GINEConv(layer.mlp, eps=0.25).double()
    expected = h + torch.relu(layer.norm(oracle(h, edge_index, e)))
    assert far(layer(h, edge_index, e), expected) <= 1e-12


def test_molecules_in_a_batch_do_not_see_each_other(model):
    together = model(*batch(*SMILES))
    alone = torch.cat([model(*batch(text)) for text in SMILES])
    assert far(together, alone) <= 1e-5


def test_order_of_atoms_bonds_and_molecules_does_not_matter(model):
    x, edge_index, edge_attr, graph = batch(*SMILES)
    expected = model(x, edge_index, edge_attr, graph)
    torch.manual_seed(1)
    nodes, edges = torch.randperm(len(x)), torch.randperm(len(edge_attr))
    place = torch.empty_like(nodes)
    place[nodes] = torch.arange(len(nodes))
    moved = x[nodes], place[edge_index][:, edges], edge_attr[edges], graph[nodes]
    assert far(model(*moved), expected) <= 1e-5


def test_any_spelling_gives_the_same_answer_chiral_or_not(model):
    for text in SMILES:
        molecule = Chem.MolFromSmiles(text)
        spelt = [Chem.MolToRandomSmilesVect(molecule, 1, randomSeed=s)[0] for s in range(1, 9)]
        assert far(model(*batch(*spelt)), model(*batch(text))) <= 1e-5


def test_the_embedding_adds_up(model):
    one, other = model.embed(*batch(SMILES[0])), model.embed(*batch(SMILES[1]))
    x, edge_index, edge_attr, graph = batch(SMILES[0], SMILES[1])
    assert far(model.embed(x, edge_index, edge_attr, torch.zeros_like(graph)), one + other) <= 1e-5


def test_the_constant_is_about_the_size_of_a_molecule():
    from reference_impl.gnn_drug_discovery.partition import PROJECT, read

    rows = read(PROJECT / "data/solubility/known.csv.gz")
    sizes = [Chem.MolFromSmiles(row["smiles"]).GetNumAtoms() for row in rows]
    assert abs(np.mean(sizes) - SIZE) < 0.5


def test_size_is_seen_where_a_mean_is_blind(model):
    six, five = (model.embed(*batch(text))[0] for text in ("C1CCCCC1", "C1CCCC1"))
    assert far(six / 6, five / 5) <= 1e-6
    assert far(six, five) >= 1e-3


def test_decalin_and_bicyclopentyl_cannot_be_told_apart(model):
    a, b = model(*batch("C1CCC2CCCCC2C1", "C1CCC(C1)C1CCCC1"))
    assert abs(a - b) <= 1e-5


def test_how_often_a_neighbour_occurs_is_seen(model):
    a, b = model.embed(*batch("ClC(Cl)Br", "ClC(Br)Br"))
    assert far(a, b) > 1e-3
    # The same kinds of neighbours, once and twice: a mean or a maximum confuses these.
    x = torch.zeros(8, len(NODE_DIMS), dtype=torch.int64)
    x[[1, 4, 5], 0], x[[2, 6, 7], 0] = 1, 2
    ends = torch.tensor([[1, 2, 4, 5, 6, 7], [0, 0, 3, 3, 3, 3]])
    codes = torch.zeros(6, len(EDGE_DIMS), dtype=torch.int64)
    once, twice = x[:3], x[3:]
    h = [sum(table(part[:, c]) for c, table in enumerate(model.atoms)) for part in (once, twice)]
    e = sum(table(codes[:, c]) for c, table in enumerate(model.bonds))
    layer = model.layers[0]
    centre = layer(h[0], ends[:, :2], e[:2])[0], layer(h[1], ends[:, 2:] - 3, e[2:])[0]
    assert far(*centre) > 1e-3


def test_bonds_are_seen(model):
    x, edge_index, edge_attr, graph = batch("CCO")
    other = edge_attr.clone()
    other[:2, 0] = 1
    assert far(model(x, edge_index, edge_attr, graph), model(x, edge_index, other, graph)) > 1e-4


def test_an_atom_alone_and_no_atom_at_all_are_no_errors(model):
    assert torch.isfinite(model(*batch("C"))).all()
    x, edge_index, edge_attr, graph = batch("C")
    assert model(x[:0], edge_index, edge_attr, graph[:0]).shape == (0,)


def test_the_state_has_the_documented_names():
    names = set(MolGNN((4, 3), (2,), h=8, L=2).state_dict())
    layer = {"eps", "mlp.0.weight", "mlp.0.bias", "mlp.2.weight", "mlp.2.bias"} | {
        f"norm.{name}"
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    }
    expected = {"target_mean", "target_std", "atoms.0.weight", "atoms.1.weight", "bonds.0.weight"}
    expected |= {f"layers.{number}.{name}" for number in (0, 1) for name in layer}
    expected |= {f"head.{n}.{name}" for n in (0, 2) for name in ("weight", "bias")}
    assert names == expected


def test_weights_fit_in_two_megabytes():
    for model in (MolGNN(NODE_DIMS, EDGE_DIMS), DTANet(NODE_DIMS, EDGE_DIMS)):
        assert 4 * sum(value.numel() for value in model.state_dict().values()) < 500_000


@pytest.fixture
def affinity():
    torch.manual_seed(0)
    return DTANet(NODE_DIMS, EDGE_DIMS, h=16, L=2).eval()


def test_affinity_depends_on_both_partners_and_on_nothing_else(affinity):
    proteins = torch.from_numpy(composition(["MKV", "GGGAW", "MKV"]))
    drugs = batch("CCO", "CCO", "CCO")
    first, second, again = affinity(*drugs, proteins)
    assert abs(first - second) > 1e-4
    assert abs(first - again) <= 1e-6
    other = affinity(*batch("CCN", "CCO", "CCO"), proteins)
    assert abs(other[0] - first) > 1e-5 and abs(other[2] - again) <= 1e-6


def test_a_partners_effect_depends_on_the_other_partner(affinity):
    proteins = torch.from_numpy(composition(["MKV", "GGGAW"]))
    a, b = (affinity(*batch(text, text), proteins) for text in ("CCO", "c1ccccc1C(=O)O"))
    assert abs((a[0] - a[1]) - (b[0] - b[1])) > 1e-5


def test_every_parameter_that_counts_has_a_gradient(affinity):
    with torch.enable_grad():
        affinity(*batch("CCO"), torch.rand(1, 20)).sum().backward()
    without = [name for name, p in affinity.named_parameters() if p.grad is None]
    assert without and all(name.startswith("drug.head") for name in without)
    assert isinstance(affinity.head, nn.Sequential)


def test_a_network_that_starts_silent_answers_differently_once_it_is_stirred():
    silent = MolGNN(NODE_DIMS, EDGE_DIMS, h=8, L=1).eval()
    nn.init.zeros_(silent.head[2].weight)
    before = silent.state_dict()
    assert silent(*batch(*SMILES)).unique().numel() == 1
    state = stirred(before, np.random.default_rng(0))
    assert state.keys() == before.keys()
    assert all(0 <= far(state[name], value) <= 0.4 for name, value in before.items())
    assert torch.equal(state["layers.0.norm.num_batches_tracked"], torch.tensor(0))
    silent.load_state_dict(state)
    assert silent(*batch(*SMILES)).unique().numel() == len(SMILES)
