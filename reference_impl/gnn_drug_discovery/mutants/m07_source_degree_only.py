"""Messages are divided by the degree of their source, not by the root of both degrees.

question: q3
caught_by: test_gcn_layer
"""


def gcn_layer(x, edge_index, W, b):
    nodes = torch.arange(len(x))
    proper = edge_index[:, edge_index[0] != edge_index[1]]
    source, target = torch.cat([proper, nodes.repeat(2, 1)], dim=1)
    degree = torch.bincount(target, minlength=len(x)).to(x.dtype)
    messages = (x @ W)[source] / degree[source][:, None]
    return torch.zeros(len(x), W.shape[1], dtype=x.dtype).index_add(0, target, messages) + b
