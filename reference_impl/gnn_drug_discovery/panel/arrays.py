"""Everything in NumPy arrays: no loop over rows, lookups by broadcasting and sorting."""

# %% q1
TABLES = [np.array([str(v) for v in known]) for known in moldata.ATOM_FEATURES.values()]
KINDS = [np.array([str(v) for v in known]) for known in moldata.BOND_FEATURES.values()]


def coded(values, known):
    same = np.asarray(values, dtype=str)[:, None] == known[None, :]
    return np.where(same.any(axis=1), same.argmax(axis=1), len(known))


def mol_to_graph(smiles):
    mol = Chem.MolFromSmiles(smiles)
    if not mol or not mol.GetNumAtoms():
        return None
    atoms, bonds = list(mol.GetAtoms()), list(mol.GetBonds())
    columns = (
        [a.GetSymbol() for a in atoms],
        [a.GetDegree() for a in atoms],
        [a.GetFormalCharge() for a in atoms],
        [a.GetTotalNumHs() for a in atoms],
        [a.GetNumRadicalElectrons() for a in atoms],
        [a.GetIsAromatic() for a in atoms],
    )
    x = np.stack([coded(c, t) for c, t in zip(columns, TABLES)], axis=1).astype(np.int64)
    there = np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in bonds], dtype=np.int64)
    there = there.reshape(-1, 2).T
    told = ([b.GetBondType().name for b in bonds], [b.GetIsConjugated() for b in bonds])
    attr = np.stack([coded(c, t) for c, t in zip(told, KINDS)], axis=1).astype(np.int64)
    # first all bonds as RDKit has them, then all of them the other way round
    return {
        "x": torch.from_numpy(x),
        "edge_index": torch.from_numpy(np.concatenate([there, there[::-1]], axis=1)),
        "edge_attr": torch.from_numpy(np.concatenate([attr, attr])),
    }


# %% q2
def canonical_key(smiles):
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or mol.GetNumAtoms() == 0:
        return None
    pieces = Chem.GetMolFrags(mol, asMols=True)
    heavy = np.array([piece.GetNumHeavyAtoms() for piece in pieces])
    names = np.array([Chem.MolToSmiles(piece) for piece in pieces])
    main = pieces[np.lexsort((names, -heavy))[0]]
    neutral = rdMolStandardize.Uncharger().uncharge(main)
    Chem.RemoveStereochemistry(neutral)
    return Chem.MolToSmiles(neutral, isomericSmiles=False)


def scaffold_split(smiles, frac=(0.8, 0.1, 0.1), seed=0):
    keys = np.array([canonical_key(text) for text in smiles])
    cores = np.array([MurckoScaffold.MurckoScaffoldSmiles(key) for key in keys])
    names = np.where(cores == "", np.char.add("chain ", keys), cores)
    _, family, size = np.unique(names, return_inverse=True, return_counts=True)
    wanted = np.asarray(frac) * len(smiles)
    rng = np.random.default_rng(seed)
    # the largest first, equals in random order; each to the part that lacks most of its share
    order = np.lexsort((rng.random(len(size)), -size))
    small = wanted[wanted > 0].min() / 2
    held, part = np.zeros(3), np.zeros(len(size), dtype=np.int64)
    for one in order:
        if size[one] <= small:
            part[one] = np.argmax(wanted - held)
        held[part[one]] += size[one]
    return tuple(np.flatnonzero(part[family] == number) for number in range(3))


def label_conflicts(smiles, y):
    y = np.asarray(y, dtype=float)
    rows = np.flatnonzero(np.isfinite(y))
    keys = np.array([canonical_key(smiles[row]) for row in rows])
    found = {}
    for key in np.unique(keys):
        own = rows[keys == key]
        if np.ptp(y[own]) > 0:
            found[str(key)] = own
    return found


# %% q6
class Standardiser:
    def fit(self, values):
        values = np.array(values, dtype=np.float64)
        self.mean = np.mean(values, axis=0)
        self.std = np.sqrt(np.mean((values - self.mean) ** 2, axis=0))
        self.std = np.where(np.all(values == values[0], axis=0), 1.0, self.std)
        return self

    def transform(self, values):
        return np.divide(np.subtract(values, self.mean), self.std)

    def inverse(self, values):
        return np.add(np.multiply(values, self.std), self.mean)


def standardise(values, train_rows):
    table = np.array(values, dtype=np.float64)
    seen = np.zeros(len(table), dtype=bool)
    seen[train_rows] = True
    scaler = Standardiser().fit(table[seen])
    return scaler.transform(table), scaler


def rmse(y, p):
    return np.linalg.norm(np.subtract(y, p)) / np.sqrt(np.size(y))


def mae(y, p):
    return np.abs(np.subtract(y, p)).mean()


def r2(y, p):
    y = np.asarray(y, dtype=float)
    if np.ptp(y) == 0:
        return np.nan
    return 1 - np.mean(np.subtract(y, p) ** 2) / np.var(y)


def spearman(y, p):
    def middle(values):
        values = np.asarray(values, dtype=float)
        below = (values[None, :] < values[:, None]).sum(axis=1)
        equal = (values[None, :] == values[:, None]).sum(axis=1)
        return below + (equal + 1) / 2

    a, b = (r - r.mean() for r in (middle(y), middle(p)))
    size = np.sqrt((a @ a) * (b @ b))
    return a @ b / size if size > 0 else np.nan


def predict(model, graphs, batch_size=256):
    model.eval()
    cuts = np.arange(batch_size, len(graphs), batch_size)
    blocks = np.split(np.arange(len(graphs)), cuts)
    with torch.no_grad():
        parts = [model(*moldata.collate([graphs[i] for i in rows])).numpy() for rows in blocks]
    scale, shift = model.target_std.numpy(), model.target_mean.numpy()
    return np.concatenate(parts).astype(np.float64) * scale + shift


# %% q7
def masked_bce(logits, y, pos_weight=None):
    known = (y == y).to(logits.dtype)
    target = torch.nan_to_num(y, nan=0.0).to(logits.dtype)
    value = F.binary_cross_entropy_with_logits(
        logits,
        target,
        weight=known,
        pos_weight=None if pos_weight is None else pos_weight.to(logits.dtype),
        reduction="none",
    )
    count = known.sum(0)
    task = value.sum(0) / torch.clamp(count, min=1)
    return task.sum() / max(1, int((count > 0).sum()))


def multitask_auc(y, s):
    y, s = np.asarray(y, dtype=float), np.asarray(s, dtype=float)
    order = (s[:, None] > s[None]) + 0.5 * (s[:, None] == s[None])  # [N, N, T]
    pairs = (y[:, None] == 1) & (y[None] == 0)
    count = pairs.sum(axis=(0, 1))
    if not count.any():
        return np.nan
    return np.mean(((order * pairs).sum(axis=(0, 1)) / np.maximum(count, 1))[count > 0])


# %% q8
def cold_split(pairs, mode, seed=0, frac=(0.7, 0.1, 0.2)):
    table = np.array([[str(d), str(t)] for d, t in pairs])
    _, drug = np.unique(table[:, 0], return_inverse=True)
    _, target = np.unique(table[:, 1], return_inverse=True)
    rng = np.random.default_rng(seed)

    def deal(numbers):
        _, numbers = np.unique(numbers, return_inverse=True)
        count = numbers.max() + 1
        place = rng.permutation(count) + 0.5
        return np.digitize(place, np.cumsum(frac)[:2] * count)[numbers]

    if mode == "both":
        a, b = deal(drug), deal(target)
        part = np.where(a == b, a, 3)
    else:
        part = deal(
            {"drug": drug, "target": target, "pair": drug * (target.max() + 1) + target}[mode]
        )
    return tuple(np.flatnonzero(part == k) for k in range(4))


def concordance_index(y, p):
    dy = np.sign(np.subtract.outer(np.asarray(y, float), np.asarray(y, float)))
    dp = np.sign(np.subtract.outer(np.asarray(p, float), np.asarray(p, float)))
    count = np.count_nonzero(dy)
    return 0.5 * (1 + (dy * dp).sum() / count) if count else np.nan


def additive_baseline(train, test):
    pairs, y = np.array([[str(d), str(t)] for d, t in train[0]]), np.asarray(train[1], dtype=float)
    new = np.array([[str(d), str(t)] for d, t in test])
    out = np.full(len(new), y.mean())
    for side in (0, 1):
        names, row = np.unique(pairs[:, side], return_inverse=True)
        level = np.bincount(row, y) / np.bincount(row) - y.mean()
        place = np.searchsorted(names, new[:, side]).clip(max=len(names) - 1)
        out += np.where(names[place] == new[:, side], level[place], 0.0)
    return out


class DTANet(nn.Module):
    def __init__(self, node_dims, edge_dims, h=64, L=3, protein_dim=20):
        super().__init__()
        self.drug = lab.GraphEncoder(node_dims, edge_dims, h, L)
        self.target = nn.Linear(protein_dim, h)
        self.out = nn.Bilinear(h, h, 1)
        self.levels = nn.Linear(2 * h, 1)

    def forward(self, x, edge_index, edge_attr, batch, protein):
        d, t = self.drug(x, edge_index, edge_attr, batch), torch.tanh(self.target(protein))
        return (self.out(d, t) + self.levels(torch.cat([d, t], 1))).squeeze(-1)


# %% q9
def compare(y, pa, pb, groups, B=2000, alpha=0.05, seed=0):
    y, pa, pb = np.array(y, float), np.array(pa, float), np.array(pb, float)
    squares = np.stack([np.ones(len(y)), (y - pa) ** 2, (y - pb) ** 2])
    _, code = np.unique(np.array(groups), return_inverse=True)
    G = code.max() + 1
    sums = np.stack([np.bincount(code, row, G) for row in squares])  # [3, G]
    size, a, b = squares.sum(axis=1)
    diff = np.sqrt(a / size) - np.sqrt(b / size)
    if G == 1:
        return {"diff": diff, "lo": np.nan, "hi": np.nan, "verdict": "inconclusive"}
    chosen = np.random.default_rng(seed).integers(0, G, (B, G))
    size, a, b = sums[:, chosen].sum(axis=2)
    lo, hi = np.percentile(np.sqrt(a / size) - np.sqrt(b / size), [50 * alpha, 100 - 50 * alpha])
    verdict = "a" if hi < 0 else ("b" if lo > 0 else "inconclusive")
    return {"diff": diff, "lo": lo, "hi": hi, "verdict": verdict}
