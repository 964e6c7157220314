"""Molecules without rings are families by record, not by compound: duplicates part ways.

question: q2
caught_by: test_no_compound_in_two_parts
"""


def scaffold_split(smiles, frac=(0.8, 0.1, 0.1), seed=0):
    families = {}
    for row, text in enumerate(smiles):
        molecule = Chem.MolFromSmiles(canonical_key(text))
        scaffold = MurckoScaffold.MurckoScaffoldSmiles(mol=molecule)
        families.setdefault(scaffold or f"row {row}", []).append(row)
    wanted = np.array(frac) * len(smiles)
    groups = list(families.values())
    order = [groups[number] for number in np.random.default_rng(seed).permutation(len(groups))]
    parts = [[], [], []]
    for rows in sorted(order, key=lambda rows: len(rows) <= min(wanted[1:]) / 2):
        room = [wanted[part] - len(parts[part]) for part in range(3)]
        parts[next((p for p in range(3) if room[p] >= len(rows)), int(np.argmax(room)))] += rows
    return tuple(np.sort(np.array(rows, dtype=np.int64)) for rows in parts)
