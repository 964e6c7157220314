"""SMILES become graphs that do not depend on their spelling, and keys that duplicates share."""

from collections import Counter

import networkx as nx
import numpy as np
import pytest
import torch
from rdkit import Chem

from reference_impl.gnn_drug_discovery.moldata import (
    ATOM_FEATURES,
    BOND_FEATURES,
    EDGE_DIMS,
    NODE_DIMS,
)
from reference_impl.gnn_drug_discovery.molecules import canonical_key, mol_to_graph

CHIRAL = "C[C@@H](C(=O)O)N"
MOLECULES = [
    "C", "CCO", "c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O", CHIRAL, "C/C=C/C(=O)O", "[Na+].CC(=O)[O-]",
    "C1CCCCCCCCCCCCC1", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "O=[N+]([O-])c1ccc(cc1)C#N", "[CH3]",
    "C[C@@H]1CC[C@H](C)CC1", "[2H]C([2H])Cl", "O[C@H]1[C@@H](O)[C@H](O)CO[C@@H]1O",
]  # fmt: skip


def as_networkx(graph):
    made = nx.Graph()
    made.add_nodes_from((i, {"code": tuple(row)}) for i, row in enumerate(graph["x"].tolist()))
    for (i, j), code in zip(
        graph["edge_index"].T.tolist(), graph["edge_attr"].tolist(), strict=True
    ):
        made.add_edge(i, j, code=tuple(code))
    return made


def same(a, b):
    def equal(one, other):
        return one["code"] == other["code"]

    return nx.is_isomorphic(as_networkx(a), as_networkx(b), node_match=equal, edge_match=equal)


def test_methane_has_one_atom_and_no_edge():
    graph = mol_to_graph("C")
    assert graph["x"].tolist() == [[0, 0, 1, 4, 0, 0]]
    assert graph["edge_index"].shape == (2, 0)
    assert graph["edge_attr"].shape == (0, len(BOND_FEATURES))


def test_ethanol_by_hand():
    graph = mol_to_graph("CCO")
    assert graph["x"].tolist() == [[0, 1, 1, 3, 0, 0], [0, 2, 1, 2, 0, 0], [2, 1, 1, 1, 0, 0]]
    assert graph["edge_index"].tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert graph["edge_attr"].tolist() == [[0, 0]] * 4


def test_bond_orders_and_charges_have_their_codes():
    graph = mol_to_graph("C=CC#N")
    assert graph["edge_attr"][::2].tolist() == [[1, 1], [0, 1], [2, 1]]
    assert mol_to_graph("c1ccccc1")["edge_attr"][0].tolist() == [3, 1]
    assert mol_to_graph("[O-]C")["x"][0, 2] == 0
    assert mol_to_graph("[CH3]")["x"][0, 4] == 1


def test_what_is_in_no_vocabulary_has_the_code_after_the_last():
    assert mol_to_graph("[Pt]")["x"][0, 0] == len(ATOM_FEATURES["element"])
    assert mol_to_graph("[Mg+2]")["x"][0, 2] == len(ATOM_FEATURES["charge"])


@pytest.mark.parametrize("smiles", MOLECULES)
def test_every_bond_is_two_edges_side_by_side_and_codes_fit_their_tables(smiles):
    graph = mol_to_graph(smiles)
    assert all(value.dtype == torch.int64 for value in graph.values())
    assert torch.equal(graph["edge_index"][:, 0::2], graph["edge_index"][:, 1::2].flip(0))
    assert torch.equal(graph["edge_attr"][0::2], graph["edge_attr"][1::2])
    assert len(graph["edge_attr"]) == graph["edge_index"].shape[1]
    for codes, dims in ((graph["x"], NODE_DIMS), (graph["edge_attr"], EDGE_DIMS)):
        assert codes.shape[1] == len(dims)
        assert (codes >= 0).all() and (codes < torch.tensor(dims)).all()
    degree = graph["x"][:, list(ATOM_FEATURES).index("degree")]
    assert torch.equal(degree, torch.bincount(graph["edge_index"][0], minlength=len(degree)))


@pytest.mark.parametrize("smiles", MOLECULES)
def test_any_spelling_gives_the_same_graph_and_key(smiles):
    molecule, graph = Chem.MolFromSmiles(smiles), mol_to_graph(smiles)
    for seed in range(10):
        other = Chem.MolToRandomSmilesVect(molecule, 1, randomSeed=seed + 1)[0]
        assert same(graph, mol_to_graph(other))
        assert canonical_key(other) == canonical_key(smiles)


def test_mirror_images_have_the_same_graph():
    assert same(mol_to_graph("C[C@@H](C(=O)O)N"), mol_to_graph("C[C@H](C(=O)O)N"))


def test_rings_are_not_told_apart_from_chains_by_a_feature():
    decalin, bicyclopentyl = mol_to_graph("C1CCC2CCCCC2C1"), mol_to_graph("C1CCC(C1)C1CCCC1")
    for name in ("x", "edge_attr"):
        counts = [Counter(map(tuple, graph[name].tolist())) for graph in (decalin, bicyclopentyl)]
        assert counts[0] == counts[1]


@pytest.mark.parametrize("text", ["", "nonsense", "C1CC", "C(C)(C)(C)(C)C", "c1ccccc", None, 3])
def test_what_is_no_molecule_is_none(text, capfd):
    assert mol_to_graph(text) is None
    assert canonical_key(text) is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "spellings",
    [
        ["C[C@@H](C(=O)O)N", "C[C@H](C(=O)O)N", "CC(N)C(O)=O", "CC([NH3+])C(=O)[O-]",
         "CC(N)C(=O)[O-].[Na+]"],
        ["CC(=O)[O-].[Na+]", "CC(=O)O", "[K+].[O-]C(C)=O"],
        ["CCN(CC)CC.Cl", "CC[NH+](CC)CC.[Cl-]", "CCN(CC)CC"],
        ["C/C=C/C", "C/C=C\\C", "CC=CC"],
        ["[2H]C(Cl)(Cl)Cl", "ClC(Cl)Cl"],
    ],
)  # fmt: skip
def test_duplicates_share_a_key(spellings):
    assert len({canonical_key(text) for text in spellings}) == 1


def test_different_compounds_have_different_keys():
    names = ["CCO", "COC", "CCN", "c1ccccc1", "C1CCCCC1", "CC(=O)O", "CC(=O)OC", "C[N+](C)(C)C"]
    assert len({canonical_key(text) for text in names}) == len(names)


@pytest.mark.parametrize("text", [*MOLECULES, "CC(=O)[O-].C[NH3+]", "OC(=O)C.NCC"])
def test_a_key_is_its_own_key(text):
    key = canonical_key(text)
    assert canonical_key(key) == key


def test_the_largest_fragment_does_not_depend_on_the_order_of_the_fragments():
    assert canonical_key("CCO.CCN") == canonical_key("CCN.CCO")


def test_drug_like_molecules_have_one_graph_each_however_written():
    from reference_impl.gnn_drug_discovery.hidden import some_molecules

    for smiles in some_molecules(np.random.default_rng(0), 60):
        molecule = Chem.MolFromSmiles(smiles)
        other = Chem.MolToRandomSmilesVect(molecule, 1, randomSeed=7)[0]
        assert same(mol_to_graph(smiles), mol_to_graph(other)), smiles
