"""From SMILES to graphs, and to a key that duplicates share."""

from __future__ import annotations

from typing import Any

import torch
from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize
from torch import Tensor

from reference_impl.gnn_drug_discovery.moldata import ATOM_FEATURES, BOND_FEATURES

__all__ = ["canonical_key", "mol_to_graph", "parse"]

_UNCHARGER = rdMolStandardize.Uncharger(canonicalOrder=True)


def parse(smiles: str) -> Any:
    """The molecule that ``smiles`` describes, or None if it describes none.

    Text that is no SMILES, a molecule that RDKit cannot sanitise (an impossible valence) and a
    molecule without atoms are all None. RDKit's own messages are not printed.
    """
    if not isinstance(smiles, str):
        return None
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    return molecule if molecule is not None and molecule.GetNumAtoms() else None


def mol_to_graph(smiles: str) -> dict[str, Tensor] | None:
    """The graph of a molecule: atoms are nodes, each bond is two directed edges.

    Columns are those of :data:`~reference_impl.gnn_drug_discovery.moldata.ATOM_FEATURES` and
    :data:`~reference_impl.gnn_drug_discovery.moldata.BOND_FEATURES`; an entry is the position of
    the value in its vocabulary, or the vocabulary's length if the value is not in it. Nothing
    depends on the order in which the SMILES lists its atoms: RDKit's tags ``CW`` and ``CCW`` of
    chiral centres do, and are not used.

    Args:
        smiles: A molecule or a salt. Hydrogens are counted, not drawn, unless RDKit keeps them as
            atoms (H2, isotopes).

    Returns:
        None if RDKit cannot read it, else a dictionary:

        - ``x``: int64 [N, F], atoms in the order of the SMILES;
        - ``edge_index``: int64 [2, 2E], source, target; bond ``b`` is columns ``2b``, ``2b + 1``;
        - ``edge_attr``: int64 [2E, K].
    """
    molecule = parse(smiles)
    if molecule is None:
        return None
    atoms = [_codes(_atom_values(atom), ATOM_FEATURES) for atom in molecule.GetAtoms()]
    ends, bonds = [], []
    for bond in molecule.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        ends += [(i, j), (j, i)]
        bonds += [_codes(_bond_values(bond), BOND_FEATURES)] * 2
    return {
        "x": torch.tensor(atoms, dtype=torch.int64),
        "edge_index": torch.tensor(ends, dtype=torch.int64).reshape(-1, 2).T.contiguous(),
        "edge_attr": torch.tensor(bonds, dtype=torch.int64).reshape(-1, len(BOND_FEATURES)),
    }


def _atom_values(atom: Any) -> dict[str, Any]:
    return {
        "element": atom.GetSymbol(),
        "degree": atom.GetDegree(),
        "charge": atom.GetFormalCharge(),
        "hydrogens": atom.GetTotalNumHs(),
        "radicals": atom.GetNumRadicalElectrons(),
        "aromatic": atom.GetIsAromatic(),
    }


def _bond_values(bond: Any) -> dict[str, Any]:
    return {"type": bond.GetBondType().name, "conjugated": bond.GetIsConjugated()}


def _codes(values: dict[str, Any], vocabularies: dict[str, tuple[Any, ...]]) -> list[int]:
    """Positions of ``values`` in their vocabularies; one past the end for what is not there."""
    return [
        known.index(values[name]) if values[name] in known else len(known)
        for name, known in vocabularies.items()
    ]


def canonical_key(smiles: str) -> str | None:
    """A name that all records of one compound share, however it was written down.

    The largest fragment (most heavy atoms, then the heaviest, then the alphabet) with its charges
    neutralised where hydrogen can be added or taken, as a canonical SMILES without stereochemistry
    and isotopes. So a salt and its base, both enantiomers and all spellings share a key. Tautomers
    do not.

    Args:
        smiles: A molecule or a salt.

    Returns:
        The key, itself a SMILES and its own key; None if RDKit cannot read ``smiles``.
    """
    molecule = parse(smiles)
    if molecule is None:
        return None
    with rdBase.BlockLogs():
        main = max(Chem.GetMolFrags(molecule, asMols=True), key=_size)
        for atom in main.GetAtoms():
            atom.SetIsotope(0)
        Chem.RemoveStereochemistry(main)
        # Deuterium is an atom of its own until it is named hydrogen.
        neutral = _UNCHARGER.uncharge(Chem.RemoveHs(main))
        return str(Chem.MolToSmiles(neutral, isomericSmiles=False))


def _size(fragment: Any) -> tuple[int, float, str]:
    weight = sum(atom.GetMass() for atom in fragment.GetAtoms())
    return fragment.GetNumHeavyAtoms(), weight, Chem.MolToSmiles(fragment)
