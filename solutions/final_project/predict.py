"""Solubility of molecules: a small network on descriptors and fragment counts, three seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors, rdFingerprintGenerator, rdMolDescriptors
from safetensors.torch import load_file
from torch import nn

FRAGMENTS = 256
WEIGHTS = Path("model.safetensors")
_fragments = rdFingerprintGenerator.GetMorganGenerator(radius=1, fpSize=FRAGMENTS)


def descriptors(smiles: Sequence[str]) -> np.ndarray:
    """Weight, logP, polar surface, rotatable bonds and aromatic rings, float64 [N, 5]."""
    rows = []
    for molecule in map(Chem.MolFromSmiles, smiles):
        rows.append(
            [
                Descriptors.MolWt(molecule),
                Crippen.MolLogP(molecule),
                rdMolDescriptors.CalcTPSA(molecule),
                rdMolDescriptors.CalcNumRotatableBonds(molecule),
                rdMolDescriptors.CalcNumAromaticRings(molecule),
            ]
        )
    return np.array(rows, dtype=np.float64).reshape(-1, 5)


def features(smiles: Sequence[str]) -> np.ndarray:
    """Descriptors, and the logarithm of one plus the counts of fragments, float64 [N, 261]."""
    counts = [_fragments.GetCountFingerprintAsNumPy(Chem.MolFromSmiles(one)) for one in smiles]
    counts = np.array(counts, dtype=np.float64).reshape(-1, FRAGMENTS)
    return np.hstack([descriptors(smiles), np.log1p(counts)])


class Network(nn.Module):
    """One hidden layer; knows the mean and the spread of what it was trained on."""

    def __init__(self) -> None:
        super().__init__()
        width = 5 + FRAGMENTS
        for name, size in (("mean", width), ("std", width), ("y_mean", 1), ("y_std", 1)):
            self.register_buffer(name, torch.ones(size))
        self.layers = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(width, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Solubilities [N] of features [N, 261]."""
        z = ((x - self.mean) / self.std).clamp(-4, 4)
        return self.layers(z)[:, 0] * self.y_std + self.y_mean


def load_networks() -> list[Network]:
    """The three networks, in evaluation mode."""
    state, networks = load_file(WEIGHTS), []
    for seed in range(3):
        start = f"seed{seed}."
        network = Network()
        network.load_state_dict(
            {name.removeprefix(start): v for name, v in state.items() if name.startswith(start)}
        )
        networks.append(network.eval())
    return networks


def predict(inputs: Sequence[str], seed: int = 0) -> np.ndarray:
    """Solubility of molecules in log10(mol/L).

    Args:
        inputs: SMILES [N].
        seed: Which of the three training runs answers.

    Returns:
        float64 [N].
    """
    network = load_networks()[seed]
    with torch.no_grad():
        answers = network(torch.tensor(features(inputs), dtype=torch.float32))
    return answers.numpy().astype(np.float64)
