"""The network ends in a softmax, and the loss applies another one.

question: q4
caught_by: test_outputs_are_logits, test_small_resnet_rebuilds
"""


class SmallResNet(SmallResNet):
    def forward(self, x):
        return torch.softmax(super().forward(x), dim=1)
