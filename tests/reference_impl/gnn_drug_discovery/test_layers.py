"""Both layers agree with PyTorch Geometric on every kind of graph."""

import pytest
import torch
from torch import nn
from torch_geometric.nn import GCNConv, GINConv

from reference_impl.gnn_drug_discovery.layers import gcn_layer, gin_layer

GRAPHS = {
    "a path": [[0, 1, 1, 2], [1, 0, 2, 1]],
    "directed": [[0, 0, 3, 2], [1, 2, 1, 4]],
    "isolated nodes": [[0, 1], [1, 0]],
    "self-loops": [[0, 1, 1, 2, 2], [0, 0, 1, 2, 1]],
    "a self-loop twice": [[0, 0, 1], [0, 0, 0]],
    "duplicate edges": [[0, 0, 0, 1], [1, 1, 2, 0]],
    "no edges": [[], []],
}


def draw(*shape):
    return torch.randn(*shape, dtype=torch.float64)


@pytest.fixture(params=GRAPHS, autouse=True)
def graph(request):
    torch.manual_seed(0)
    edge_index = torch.tensor(GRAPHS[request.param], dtype=torch.int64)
    return draw(6, 4), edge_index


def test_gcn_is_that_of_pyg(graph):
    x, edge_index = graph
    oracle = GCNConv(4, 5).double()
    expected = oracle(x, edge_index)
    found = gcn_layer(x, edge_index, oracle.lin.weight.T, oracle.bias)
    assert (found - expected).abs().max() <= 1e-12


def test_gin_is_that_of_pyg(graph):
    x, edge_index = graph
    mlp = nn.Sequential(nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 3)).double()
    expected = GINConv(mlp, eps=0.25)(x, edge_index)
    weights = mlp[0].weight.T, mlp[0].bias, mlp[2].weight.T, mlp[2].bias
    assert (gin_layer(x, edge_index, *weights, eps=0.25) - expected).abs().max() <= 1e-12


def test_gcn_is_its_formula_with_matrices(graph):
    x, edge_index = graph
    W, b = draw(4, 5), draw(5)
    A = torch.zeros(6, 6, dtype=torch.float64)
    for source, target in edge_index.T.tolist():
        A[target, source] += source != target
    A += torch.eye(6)
    D = A.sum(dim=1).diag()
    half = torch.linalg.inv(D.sqrt())
    assert (gcn_layer(x, edge_index, W, b) - (half @ A @ half @ x @ W + b)).abs().max() <= 1e-12


def test_gradients_are_exact(graph):
    x, edge_index = graph
    x.requires_grad_()
    W, b = draw(4, 3).requires_grad_(), draw(3).requires_grad_()
    assert torch.autograd.gradcheck(lambda *a: gcn_layer(a[0], edge_index, *a[1:]), (x, W, b))
    V, c = draw(3, 2).requires_grad_(), draw(2).requires_grad_()
    assert torch.autograd.gradcheck(lambda *a: gin_layer(a[0], edge_index, *a[1:]), (x, W, b, V, c))


def test_order_of_edges_and_names_of_nodes_do_not_matter(graph):
    x, edge_index = graph
    W, b, V, c = draw(4, 3), draw(3), draw(3, 2), draw(2)
    new = torch.randperm(6)  # old node i is called new[i]
    moved = torch.empty_like(x)
    moved[new] = x
    edges = new[edge_index[:, torch.randperm(edge_index.shape[1])]]
    for layer in (
        lambda x, e: gcn_layer(x, e, W, b),
        lambda x, e: gin_layer(x, e, W, b, V, c, 0.1),
    ):
        assert (layer(moved, edges)[new] - layer(x, edge_index)).abs().max() <= 1e-12
