"""The bonds' features are not looked at.

question: q4
caught_by: test_bonds_matter, test_network_rebuilds
"""


class BondBlindGNN(MolGNN):
    def embed(self, x, edge_index, edge_attr, batch):
        return super().embed(x, edge_index, torch.zeros_like(edge_attr), batch)


MolGNN = BondBlindGNN
