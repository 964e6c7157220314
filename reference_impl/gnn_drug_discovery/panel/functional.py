"""Functions all the way: recursion, reduce, closures and generators, nothing changed in place."""

# %% q1
from functools import reduce


def mol_to_graph(smiles):
    def position(value, known, at=0):
        return at if at == len(known) or known[at] == value else position(value, known, at + 1)

    def row(values, features):
        return tuple(map(position, values, features.values()))

    def of_atom(atom):
        return row(
            (
                atom.GetSymbol(), atom.GetDegree(), atom.GetFormalCharge(), atom.GetTotalNumHs(),
                atom.GetNumRadicalElectrons(), bool(atom.GetIsAromatic()),
            ),
            moldata.ATOM_FEATURES,
        )  # fmt: skip

    def of_bond(bond):
        code = row((bond.GetBondType().name, bool(bond.GetIsConjugated())), moldata.BOND_FEATURES)
        ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        return ((ends, code), (ends[::-1], code))

    def graph(mol):
        edges = sorted(
            reduce(lambda seen, bond: seen + of_bond(bond), mol.GetBonds(), ()), reverse=True
        )
        return {
            "x": torch.tensor(tuple(map(of_atom, mol.GetAtoms())), dtype=torch.long),
            "edge_index": torch.tensor([ends for ends, _ in edges], dtype=torch.long).view(-1, 2).T,
            "edge_attr": torch.tensor([code for _, code in edges], dtype=torch.long).view(-1, 2),
        }

    mol = Chem.MolFromSmiles(smiles)
    return graph(mol) if mol and mol.GetNumAtoms() else None


# %% q2
import itertools
from functools import reduce


def canonical_key(smiles):
    steps = (
        Chem.MolFromSmiles,
        lambda mol: mol if mol is not None and mol.GetNumAtoms() else None,
        lambda mol: max(
            Chem.GetMolFrags(mol, asMols=True),
            key=lambda f: (f.GetNumHeavyAtoms(), Chem.MolToSmiles(f)),
        ),
        rdMolStandardize.Uncharger().uncharge,
        lambda mol: Chem.MolToSmiles(mol, isomericSmiles=False),
    )
    return reduce(lambda value, step: None if value is None else step(value), steps, smiles)


def scaffold_split(smiles, frac=(0.8, 0.1, 0.1), seed=0):
    def name(key):
        return MurckoScaffold.MurckoScaffoldSmiles(mol=Chem.MolFromSmiles(key)) or f"<{key}>"

    named = sorted((name(canonical_key(text)), row) for row, text in enumerate(smiles))
    families = [
        [row for _, row in rows] for _, rows in itertools.groupby(named, key=lambda pair: pair[0])
    ]
    order = np.random.default_rng(seed).permutation(len(families)).tolist()
    wanted = [share * len(smiles) for share in frac]
    small = min([size for size in wanted[1:] if size] or [0]) / 2

    def deal(left, held):
        """``held`` with all families of ``left``, one after the other."""
        for rows in left:
            free = [w - len(h) for w, h in zip(wanted, held)]
            # the part in which the family leaves the least room, if it fits anywhere
            fits = [k for k in range(3) if free[k] >= len(rows)]
            best = (
                min(fits, key=lambda k: free[k]) if fits else max(range(3), key=lambda k: free[k])
            )
            best = 0 if len(rows) > small else best
            held = tuple(h + rows if k == best else h for k, h in enumerate(held))
        return held

    by_size = sorted((families[k] for k in order), key=lambda rows: -len(rows))
    return tuple(np.array(sorted(rows), dtype=np.int64) for rows in deal(by_size, ([], [], [])))


def label_conflicts(smiles, y):
    told = [
        (canonical_key(text), row)
        for row, (text, label) in enumerate(zip(smiles, y))
        if label == label
    ]
    grouped = itertools.groupby(sorted(told), key=lambda pair: pair[0])
    rows = ((key, [row for _, row in pairs]) for key, pairs in grouped)
    return {
        key: np.asarray(found, dtype="int64")
        for key, found in rows
        if any(y[row] != y[found[0]] for row in found)
    }


# %% q3
from functools import reduce


def by_target(edge_index, n):
    """The edges in the order of their targets, and where each target's edges begin."""
    order = torch.argsort(edge_index[1])
    begins = torch.searchsorted(edge_index[1][order].contiguous(), torch.arange(n))
    return edge_index[0][order], begins


def gcn_layer(x, edge_index, W, b):
    n = x.shape[0]
    proper = edge_index[:, edge_index[0] - edge_index[1] != 0]
    loops = torch.arange(n).expand(2, n)
    edges = torch.cat((proper, loops), dim=1)
    scale = torch.bincount(edges[1], minlength=n).to(x.dtype) ** -0.5
    source, begins = by_target(edges, n)
    # a bag of rows for each node, summed by the library
    bags = F.embedding_bag(source, scale[:, None] * x, begins, mode="sum")
    return (scale[:, None] * bags) @ W + b


def gin_layer(x, edge_index, W1, b1, W2, b2, eps=0.0):
    source, begins = by_target(edge_index, len(x))
    bags = F.embedding_bag(source, x, begins, mode="sum") if len(source) else torch.zeros_like(x)
    layers = (lambda u: u @ W1 + b1, F.relu, lambda u: u @ W2 + b2)
    return reduce(lambda u, layer: layer(u), layers, (1 + eps) * x + bags)


# %% q6
from functools import reduce


class Standardiser:
    """Holds two functions, made when it is fitted."""

    def fit(self, values):
        values = np.asarray(values, dtype=np.float64)
        mean, std = values.mean(axis=0), values.std(axis=0)
        std = np.where(np.ptp(values, axis=0) == 0, 1.0, std)
        self.mean, self.std = mean, std
        self.transform = lambda new: (np.asarray(new, dtype=np.float64) - mean) / std
        self.inverse = lambda new: np.asarray(new, dtype=np.float64) * std + mean
        return self


def standardise(values, train_rows):
    return (lambda table, scaler: (scaler.transform(table), scaler))(
        np.asarray(values, dtype=np.float64),
        Standardiser().fit(
            [
                row
                for number, row in enumerate(values)
                if number in set(np.asarray(train_rows).tolist())
            ]
        ),
    )


def averaged(of_gap, at_last):
    def metric(y, p):
        gaps = [float(a) - float(b) for a, b in zip(y, p, strict=True)]
        return at_last(sum(map(of_gap, gaps)) / len(gaps))

    return metric


rmse = averaged(lambda gap: gap * gap, lambda mean: mean**0.5)
mae = averaged(abs, float)


def r2(y, p):
    total = (
        sum((a - sum(y) / len(y)) ** 2 for a in y)
        if len({float(a) for a in y}) > 1
        else float("nan")
    )
    return 1 - rmse(y, p) ** 2 * len(y) / total


def spearman(y, p):
    def rank_of(values):
        ordered = sorted(float(v) for v in values)
        first = {v: ordered.index(v) for v in set(ordered)}
        return [first[float(v)] + (ordered.count(float(v)) - 1) / 2 for v in values]

    a, b = (np.array(rank_of(v)) - (len(v) - 1) / 2 for v in (y, p))
    with np.errstate(invalid="ignore"):
        return np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b))  # 0 / 0 is nan


def predict(model, graphs, batch_size=256):
    model.eval()

    def answered(block):
        with torch.no_grad():
            return (
                float(model.target_mean)
                + float(model.target_std) * model(*moldata.collate(block)).double().numpy()
            )

    blocks = (graphs[at : at + batch_size] for at in range(0, len(graphs), batch_size))
    return reduce(np.append, map(answered, blocks), np.zeros(0))


# %% q7
def masked_bce(logits, y, pos_weight=None):
    def task(z, t, w):
        known = t.isfinite()
        p = t[known].to(z.dtype)
        return (F.softplus(z[known]) - z[known] * p + (w - 1) * p * F.softplus(-z[known])).mean()

    weights = torch.ones(y.shape[1], dtype=logits.dtype) if pos_weight is None else pos_weight
    voices = [task(z, t, w) for z, t, w in zip(logits.T, y.T, weights) if bool(t.isfinite().any())]
    return (
        torch.stack(voices).mean()
        if voices
        else torch.tensordot(logits, torch.zeros_like(logits), 2)
    )


def multitask_auc(y, s):
    def area(label, score):
        """The trapezia under the curve of true over false positives, threshold by threshold."""
        cuts = [np.inf, *sorted(set(score), reverse=True)]
        tpr, fpr = ([np.mean(score[label == c] >= cut) for cut in cuts] for c in (1, 0))
        return np.trapezoid(tpr, fpr)

    y, s = np.asarray(y, dtype=float), np.asarray(s, dtype=float)
    known = ((label[label == label], score[label == label]) for label, score in zip(y.T, s.T))
    areas = [area(*task) for task in known if {0.0, 1.0} <= set(task[0])]
    return float(np.mean(areas)) if areas else float("nan")


# %% q8
def cold_split(pairs, mode, seed=0, frac=(0.7, 0.1, 0.2)):
    import random

    takes = {"drug": (0,), "target": (1,), "both": (0, 1)}

    def deal(names, salt):
        distinct = sorted({repr(name) for name in names})
        mixed = random.Random(f"{seed} {salt}").sample(distinct, len(distinct))
        place = {name: (n + 0.5) / len(mixed) for n, name in enumerate(mixed)}
        return [
            int(place[repr(n)] > frac[0]) + int(place[repr(n)] > frac[0] + frac[1]) for n in names
        ]

    rows = [tuple(map(str, pair)) for pair in pairs]
    told = (
        [deal(rows, "pair")]
        if mode == "pair"
        else [deal([r[k] for r in rows], k) for k in takes[mode]]
    )
    where = [one[0] if len(set(one)) == 1 else 3 for one in zip(*told)]
    return tuple(
        np.array([row for row, part in enumerate(where) if part == k], dtype=np.int64)
        for k in range(4)
    )


def concordance_index(y, p):
    """By merge sort: rows in the order of ``y``, a count of predictions below while merging."""
    import bisect

    def count(rows):
        if len(rows) < 2:
            return 0.0, 0, sorted(q for _, q in rows)
        middle = rows[len(rows) // 2][0]
        low, high = [r for r in rows if r[0] < middle], [r for r in rows if r[0] >= middle]
        if not low:
            low, high = [r for r in rows if r[0] == middle], [r for r in rows if r[0] > middle]
            if not high:
                return 0.0, 0, sorted(q for _, q in rows)
        won_low, pairs_low, p_low = count(low)
        won_high, pairs_high, p_high = count(high)
        won = sum(bisect.bisect_left(p_low, q) + bisect.bisect_right(p_low, q) for q in p_high) / 2
        return (
            won + won_low + won_high,
            pairs_low + pairs_high + len(low) * len(high),
            sorted(p_low + p_high),
        )

    won, pairs, _ = count(sorted((float(a), float(b)) for a, b in zip(y, p)))
    return won / pairs if pairs else float("nan")


def additive_baseline(train, test):
    (pairs, y), mean = train, float(np.mean(train[1]))

    def part(side, name):
        own = [float(v) for pair, v in zip(pairs, y) if pair[side] == name]
        return sum(own) / len(own) - mean if own else 0.0

    return np.array(
        [mean + part(0, drug) + part(1, target) for drug, target in test], dtype=np.float64
    )


class DTANet(nn.Module):
    """Atoms ask the protein: a gate for each atom, and the same round of messages L times."""

    def __init__(self, node_dims, edge_dims, h=64, L=3, protein_dim=20):
        super().__init__()
        self.L = L
        self.tables = nn.ModuleList([nn.Embedding(n, h) for n in (*node_dims, *edge_dims)])
        self.atoms = len(node_dims)
        self.mix = nn.GRUCell(h, h)
        self.protein = nn.Sequential(nn.Linear(protein_dim, h), nn.Tanh())
        self.gate = nn.Linear(2 * h, h)
        self.head = nn.Sequential(nn.Linear(2 * h, h), nn.ReLU(), nn.Linear(h, 1))

    def forward(self, x, edge_index, edge_attr, batch, protein):
        h = sum(table(column) for table, column in zip(self.tables[: self.atoms], x.T))
        e = sum(table(column) for table, column in zip(self.tables[self.atoms :], edge_attr.T))
        t = self.protein(protein)

        def passed(h, rounds):
            if rounds == 0:
                return h
            heard = torch.zeros_like(h).index_add(
                0, edge_index[1], torch.relu(h[edge_index[0]] + e)
            )
            return passed(self.mix(heard, h), rounds - 1)

        h = passed(h, self.L)
        gated = torch.sigmoid(self.gate(torch.cat([h, t[batch]], dim=1))) * h
        pooled = torch.zeros(len(protein), h.shape[1]).index_add(0, batch, gated) / 15
        return self.head(torch.cat([pooled, t], dim=1))[..., 0]


# %% q9
def compare(y, pa, pb, groups, B=2000, alpha=0.05, seed=0):
    import collections

    squares = collections.defaultdict(lambda: np.zeros(3))
    for truth, a, b, group in zip(y, pa, pb, groups):
        squares[group] += (1.0, (truth - a) ** 2, (truth - b) ** 2)
    table = np.array(list(squares.values()))

    def difference(weights):
        size, a, b = weights @ table
        return (a / size) ** 0.5 - (b / size) ** 0.5

    def verdict(lo, hi):
        return "a" if hi < 0 else "b" if lo > 0 else "inconclusive"

    def replicates(rng):
        for _ in range(B if len(table) > 1 else 0):
            yield difference(
                rng.multinomial(len(table), [1 / len(table)] * len(table)).astype(float)
            )

    found = np.sort(list(replicates(np.random.RandomState(seed))))
    lo, hi = np.quantile(found, [alpha / 2, 1 - alpha / 2]) if len(found) else (np.nan, np.nan)
    return {
        "verdict": verdict(lo, hi),
        "hi": float(hi),
        "lo": float(lo),
        "diff": float(difference(np.ones(len(table)))),
    }
