"""Molecules are shuffled and cut, whatever their scaffold.

question: q2
caught_by: test_no_scaffold_in_two_parts
"""


def scaffold_split(smiles, frac=(0.8, 0.1, 0.1), seed=0):
    order = np.random.default_rng(seed).permutation(len(smiles))
    cuts = np.rint(np.cumsum(frac)[:2] * len(smiles)).astype(int)
    return tuple(np.sort(rows).astype(np.int64) for rows in np.split(order, cuts))
