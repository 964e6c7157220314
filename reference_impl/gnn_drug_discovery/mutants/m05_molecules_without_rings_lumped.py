"""All molecules without rings have the empty scaffold, and so are one family.

question: q2
caught_by: test_shares_of_molecules
"""


def scaffold_split(smiles, frac=(0.8, 0.1, 0.1), seed=0):
    families = {}
    for row, text in enumerate(smiles):
        molecule = Chem.MolFromSmiles(canonical_key(text))
        families.setdefault(MurckoScaffold.MurckoScaffoldSmiles(mol=molecule), []).append(row)
    wanted = np.array(frac) * len(smiles)
    groups = list(families.values())
    order = [groups[number] for number in np.random.default_rng(seed).permutation(len(groups))]
    parts = [[], [], []]
    for rows in sorted(order, key=lambda rows: len(rows) <= min(wanted[1:]) / 2):
        room = [wanted[part] - len(parts[part]) for part in range(3)]
        parts[next((p for p in range(3) if room[p] >= len(rows)), int(np.argmax(room)))] += rows
    return tuple(np.sort(np.array(rows, dtype=np.int64)) for rows in parts)
