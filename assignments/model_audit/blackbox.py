"""Models to be audited: a small network whose weights are plain arrays, asked for probabilities.

This file is published with the notebook. It holds no answers and no weights. An auditor is given
a :class:`Predictor` and may only ask it; :class:`Network` is what is inside, for audits that need
gradients.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Network", "Predictor", "network"]

Array = npt.NDArray[Any]
Arrays = Mapping[str, Any]


class Network(nn.Module):
    """Three convolutions, each halving the resolution, and a linear layer that sees every place.

    There is no average over the image, so that it can learn *where* something is. Layers from the
    input to the output: ``conv1``, ``conv2``, ``conv3``, ``head``.

    Shapes: [B, 3, 32, 32] in [0, 1] to logits [B]. 11,217 parameters.
    """

    def __init__(self) -> None:
        """Make an untrained network."""
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(16, 24, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(24, 24, 3, stride=2, padding=1)
        self.head = nn.Linear(24 * 4 * 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch."""
        h = functional.relu(self.conv1(x - 0.5))  # [B, 16, 16, 16]
        h = functional.relu(self.conv2(h))  # [B, 24, 8, 8]
        h = functional.relu(self.conv3(h))  # [B, 24, 4, 4]
        return self.head(h.flatten(1))[:, 0]


def network(arrays: Arrays) -> Network:
    """A :class:`Network` with the given weights, in evaluation mode.

    Args:
        arrays: Its ``state_dict``, as arrays or tensors.
    """
    model = Network()
    model.load_state_dict({name: torch.as_tensor(value) for name, value in arrays.items()})
    return model.eval()


class Predictor:
    """A model behind a counter: images go in, probabilities come out.

    Args:
        arrays: The ``state_dict`` of a :class:`Network`.
    """

    def __init__(self, arrays: Arrays) -> None:
        self._model = network(arrays)

    def __call__(self, X: npt.ArrayLike) -> Array:
        """Probability of malignancy, float64 [N], of images uint8 [N, 3, 32, 32]."""
        images = np.asarray(X)
        if images.dtype != np.uint8 or images.shape[1:] != (3, 32, 32):
            raise ValueError(
                "images must be uint8 [N, 3, 32, 32], not "
                f"{images.dtype} {list(images.shape)}; hand them on as they are"
            )
        with torch.inference_mode():
            parts = [
                self._model(torch.as_tensor(images[i : i + 256]).float() / 255).double()
                for i in range(0, len(images), 256)
            ]
        return torch.sigmoid(torch.cat(parts)).numpy() if parts else np.zeros(0)
