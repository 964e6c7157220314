"""The degree leaves the self-loop out.

question: q3
caught_by: test_gcn_layer
"""


def gcn_layer(x, edge_index, W, b):
    nodes = torch.arange(len(x))
    proper = edge_index[:, edge_index[0] != edge_index[1]]
    degree = torch.bincount(proper[1], minlength=len(x)).clamp_min(1).to(x.dtype)
    source, target = torch.cat([proper, nodes.repeat(2, 1)], dim=1)
    messages = (x @ W)[source] / (degree[source] * degree[target]).sqrt()[:, None]
    return torch.zeros(len(x), W.shape[1], dtype=x.dtype).index_add(0, target, messages) + b
