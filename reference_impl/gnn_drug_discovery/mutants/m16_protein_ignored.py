"""The affinity network looks at the drug alone.

question: q8
caught_by: test_proteins_matter
"""


class DrugOnlyNet(DTANet):
    def forward(self, x, edge_index, edge_attr, batch, protein):
        return super().forward(x, edge_index, edge_attr, batch, torch.zeros_like(protein))


DTANet = DrugOnlyNet
