"""Every bond is stored in one direction only.

question: q1
caught_by: test_both_directions, test_features, test_spelling_does_not_matter
"""

full_graph = mol_to_graph


def mol_to_graph(smiles):
    graph = full_graph(smiles)
    if graph is not None:
        graph["edge_index"] = graph["edge_index"][:, ::2]
        graph["edge_attr"] = graph["edge_attr"][::2]
    return graph
