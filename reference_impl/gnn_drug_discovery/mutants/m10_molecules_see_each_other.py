"""Attention runs over all molecules of the batch.

question: q4
caught_by: test_molecules_do_not_see_each_other, test_network_rebuilds
"""


class CrowdGNN(MolGNN):
    def forward(self, x, edge_index, edge_attr, batch):
        molecules = self.embed(x, edge_index, edge_attr, batch)
        weights = torch.softmax(molecules @ molecules.T / molecules.shape[1] ** 0.5, dim=1)
        return self.head(molecules + 0.02 * (weights @ molecules)).squeeze(1)


MolGNN = CrowdGNN
