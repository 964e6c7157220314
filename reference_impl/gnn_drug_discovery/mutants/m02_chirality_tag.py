"""RDKit's tags CW and CCW, which depend on the spelling, are an atom's feature.

question: q1
caught_by: test_spelling_does_not_matter
"""

flat_graph = mol_to_graph


def mol_to_graph(smiles):
    graph = flat_graph(smiles)
    if graph is not None:
        tags = [int(atom.GetChiralTag()) for atom in Chem.MolFromSmiles(smiles).GetAtoms()]
        graph["x"][:, 2] = (graph["x"][:, 2] + torch.tensor(tags)) % 4
    return graph
