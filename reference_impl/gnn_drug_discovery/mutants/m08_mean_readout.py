"""A molecule is the mean over its atoms: rings of every size are alike.

question: q4
caught_by: test_readout_adds_up, test_ring_sizes_differ
"""


class MeanGNN(MolGNN):
    def embed(self, x, edge_index, edge_attr, batch):
        atoms = torch.bincount(batch).clamp_min(1)[:, None]
        return super().embed(x, edge_index, edge_attr, batch) * self.SIZE / atoms


MolGNN = MeanGNN
