"""Odd but legal interfaces: type hints, options of its own, keywords, lists handed back."""

# %% q1
from typing import Any


def mol_to_graph(
    smiles: str, *, features: dict[str, Any] | None = None, verbose: bool = False
) -> dict[str, torch.Tensor] | None:
    """Reads the molecule from a MolBlock, in which every bond is one line."""
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or mol.GetNumAtoms() == 0:
        if verbose:
            print("no molecule")
        return None
    known = features or moldata.ATOM_FEATURES
    atoms: list[Chem.Atom] = [mol.GetAtomWithIdx(k) for k in range(mol.GetNumAtoms())]
    asked: dict[str, list[Any]] = dict(
        element=[a.GetSymbol() for a in atoms],
        degree=[len(a.GetNeighbors()) for a in atoms],
        charge=[a.GetFormalCharge() for a in atoms],
        hydrogens=[a.GetNumExplicitHs() + a.GetNumImplicitHs() for a in atoms],
        radicals=[a.GetNumRadicalElectrons() for a in atoms],
        aromatic=[a.GetIsAromatic() for a in atoms],
    )
    x = np.full((len(atoms), len(known)), -1, dtype="int64")
    for column, (name, values) in enumerate(known.items()):
        for row, value in enumerate(asked[name]):
            x[row, column] = values.index(value) if value in values else len(values)
    bonds = mol.GetBonds()
    edges = np.array(
        [[b.GetEndAtomIdx(), b.GetBeginAtomIdx()] for b in bonds], dtype="int64"
    ).reshape(-1, 2)
    kinds = moldata.BOND_FEATURES["type"]
    codes = [
        [
            kinds.index(n) if (n := b.GetBondType().name) in kinds else len(kinds),
            int(b.GetIsConjugated()),
        ]
        for b in bonds
    ]
    attr = np.array(codes, dtype="int64").reshape(-1, 2)
    return {
        "x": torch.as_tensor(x),
        "edge_index": torch.as_tensor(np.vstack([edges, np.flip(edges, axis=1)]).T.copy()),
        "edge_attr": torch.as_tensor(np.vstack([attr, attr])),
    }


# %% q2
def canonical_key(
    smiles: str, uncharger=rdMolStandardize.Uncharger(), fallback: None = None
) -> str | None:
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or not mol.GetNumAtoms():
        return fallback
    # text first: the longest piece by heavy atoms, as SMILES
    pieces = Chem.MolToSmiles(mol, isomericSmiles=False).split(".")
    piece = sorted(pieces, key=lambda text: (-Chem.MolFromSmiles(text).GetNumHeavyAtoms(), text))[0]
    return Chem.MolToSmiles(uncharger.uncharge(Chem.MolFromSmiles(piece)), isomericSmiles=False)


def scaffold_split(smiles, frac=(0.8, 0.1, 0.1), seed=0, *, tries: int = 200, shuffle: bool = True):
    """Random deals of the families until the sizes are right, the best one otherwise."""
    keys = [canonical_key(smiles=text) for text in smiles]
    cores = [MurckoScaffold.MurckoScaffoldSmiles(smiles=key) or f"- {key}" for key in keys]
    names, family, size = np.unique(cores, return_inverse=True, return_counts=True)
    generator, n = np.random.default_rng(seed), len(smiles)
    goal = np.array(frac) * n
    best, least = None, np.inf
    for _ in range(tries):
        order = generator.permutation(len(names)) if shuffle else np.arange(len(names))
        part = np.zeros(len(names), dtype=int)
        for number in (1, 2):
            room = goal[number]
            for one in order:
                if part[one] == 0 and size[one] <= room:
                    part[one], room = number, room - size[one]
        held = np.bincount(part, weights=size, minlength=3)
        miss = np.abs(held - goal).max()
        if miss < least:
            best, least = part, miss
        if least < 1:
            break
    return [np.flatnonzero(best[family] == number) for number in range(3)]


def label_conflicts(smiles, y, key=canonical_key, as_array=True):
    seen: dict[str, list[int]] = {}
    for row, label in enumerate(np.asarray(y, dtype=float).tolist()):
        if not np.isnan(label):
            seen[name] = seen.get(name := key(smiles[row]), []) + [row]
    return {
        name: np.array(rows)
        for name, rows in seen.items()
        if np.unique(np.asarray(y, dtype=float)[rows]).size > 1
    }


# %% q3
def gcn_layer(x, edge_index, W, b=None, *, normalise: bool = True):
    """A sparse matrix of the edges alone; nothing of N x N numbers is ever made."""
    n = x.shape[0]
    source, target = edge_index[:, torch.ne(*edge_index)]
    ends = torch.stack([torch.cat([target, torch.arange(n)]), torch.cat([source, torch.arange(n)])])
    degree = torch.bincount(ends[0], minlength=n).to(dtype=x.dtype)
    value = (
        (degree[ends[0]] * degree[ends[1]]).rsqrt()
        if normalise
        else torch.ones(ends.shape[1], dtype=x.dtype)
    )
    A = torch.sparse_coo_tensor(ends, value, size=(n, n)).coalesce()
    out = torch.sparse.mm(A, torch.mm(x, W))
    return out if b is None else out.add(b)


def gin_layer(x, edge_index, W1, b1, W2, b2, eps=0.0, activation=torch.relu, chunk: int = 100_000):
    u = x.mul(1 + eps)
    for start in range(0, edge_index.shape[1], chunk):
        source, target = edge_index[:, start : start + chunk]
        u = u.index_add(dim=0, index=target, source=x.index_select(dim=0, index=source))
    return activation(u.matmul(W1).add(b1)).matmul(W2).add(b2)


# %% q4
class GINELayer(nn.Module):
    def __init__(self, h: int, *, bias: bool = True, momentum: float = 0.1):
        super().__init__()
        self.norm = nn.BatchNorm1d(h, momentum=momentum)
        self.mlp = nn.Sequential(nn.Linear(h, h, bias=bias), nn.ReLU(), nn.Linear(h, h, bias=bias))
        self.eps = nn.Parameter(torch.tensor(0.0), requires_grad=True)

    def forward(self, h, edge_index, e):
        sent = (h[edge_index[0]] + e).clamp_min(0)
        total = h.new_zeros(h.shape).index_add_(0, edge_index[1], sent)
        return torch.add(h, self.norm(self.mlp(h + self.eps * h + total)).clamp_min(0))


class MolGNN(nn.Module):
    SIZE = 13.0

    def __init__(
        self,
        node_dims,
        edge_dims,
        h: int = 64,
        L: int = 4,
        *,
        layer=GINELayer,
        size: float | None = None,
    ):
        super().__init__()
        self.SIZE = size or type(self).SIZE
        self.atoms = nn.ModuleList(
            map(lambda n: nn.Embedding(num_embeddings=n, embedding_dim=h), node_dims)
        )
        self.bonds = nn.ModuleList(
            map(lambda n: nn.Embedding(num_embeddings=n, embedding_dim=h), edge_dims)
        )
        self.layers = nn.ModuleList(layer(h=h) for _ in range(L))
        self.head = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, 1))
        self.register_buffer(name="target_mean", tensor=torch.tensor(0.0))
        self.register_buffer(name="target_std", tensor=torch.tensor(1.0))

    def embed(self, x, edge_index, edge_attr, batch):
        h = torch.einsum(
            "fnh->nh", torch.stack([t(c) for t, c in zip(self.atoms, x.T, strict=True)])
        )
        e = torch.einsum(
            "feh->eh", torch.stack([t(c) for t, c in zip(self.bonds, edge_attr.T, strict=True)])
        )
        for layer in self.layers:
            h = layer(h=h, edge_index=edge_index, e=e)
        # cumulated sums over atoms sorted by molecule, in double precision, and their differences
        order = batch.argsort()
        ends = torch.bincount(batch).cumsum(0)
        cumulated = F.pad(h[order].double().cumsum(0), (0, 0, 1, 0))
        begins = F.pad(ends, (1, 0))[:-1]
        return ((cumulated[ends] - cumulated[begins]) / self.SIZE).to(h.dtype)

    def forward(self, x, edge_index, edge_attr, batch, *, vectors: bool = False):
        z = self.embed(x, edge_index, edge_attr, batch)
        return z if vectors else self.head(z).squeeze(dim=-1)


# %% q6
class Standardiser:
    def __init__(self, ddof: int = 0, dtype=np.float64):
        self.ddof, self.dtype = ddof, dtype

    def fit(self, values, *, rows=None):
        values = np.asarray(values, dtype=self.dtype)
        values = values if rows is None else values[rows]
        self.mean, std = values.mean(axis=0), values.std(axis=0, ddof=self.ddof)
        self.std = np.where(values.max(axis=0) == values.min(axis=0), 1.0, std)
        return self

    def transform(self, values, *, copy=True):
        return (np.asarray(values, dtype=self.dtype) - self.mean) / self.std

    def inverse(self, values, *, copy=True):
        return np.asarray(values, dtype=self.dtype) * self.std + self.mean


def standardise(values, train_rows, *, scaler=None):
    scaler = (scaler or Standardiser()).fit(values, rows=np.asarray(train_rows))
    return scaler.transform(values), scaler


def rmse(y, p, weights=None):
    return np.sqrt(np.average((np.asarray(y) - np.asarray(p)) ** 2, weights=weights))


def mae(y, p, weights=None):
    return np.average(np.abs(np.asarray(y) - np.asarray(p)), weights=weights)


def r2(y, p, *, undefined=float("nan")):
    y = np.asarray(y, dtype=float)
    return 1 - rmse(p=p, y=y) ** 2 / y.var() if np.unique(y).size > 1 else undefined


def spearman(y, p, *, undefined=float("nan")):
    """From the covariance of indicators: sums of signs over all pairs of rows."""
    a, b = (
        np.sign(np.subtract.outer(v, v)).sum(axis=1)
        for v in (np.asarray(y, float), np.asarray(p, float))
    )
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return undefined if norm == 0 else np.clip(a @ b / norm, -1, 1)


def predict(model, graphs, batch_size=256, *, device=None, progress=False):
    model = model.eval()
    answers: list[float] = []
    for start in range(0, len(graphs), batch_size):
        x, edge_index, edge_attr, batch = moldata.collate(graphs=graphs[start : start + batch_size])
        with torch.no_grad():
            z = model(x=x, edge_index=edge_index, edge_attr=edge_attr, batch=batch)
        answers.extend(
            (model.target_mean.double() + model.target_std.double() * z.double()).tolist()
        )
    return np.array(answers)


# %% q7
def masked_bce(logits, y, pos_weight=None, *, reduction="mean", eps=0.0):
    known = torch.isfinite(y)
    value = torch.zeros_like(logits)
    weight = (
        logits.new_ones(y.shape[-1])
        if pos_weight is None
        else torch.as_tensor(pos_weight).to(logits)
    )
    w = weight.expand_as(logits)[known]
    z, t = logits[known], y[known].to(logits.dtype)
    value = value.masked_scatter(known, w * t * F.softplus(-z) + (1 - t) * F.softplus(z))
    count = known.sum(dim=0)
    each = value.sum(dim=0) / count.clamp(min=1)
    voices = (count > 0).to(logits.dtype)
    return (each * voices).sum() / voices.sum().clamp(min=1)


def multitask_auc(y, s, *, undefined=float("nan"), average=np.mean):
    y, s = np.asarray(y, dtype=float), np.asarray(s, dtype=float)
    with_both = [t for t in range(y.shape[1]) if (y[:, t] == 0).any() and (y[:, t] == 1).any()]
    each = [
        roc_auc_score(y_true=y[~np.isnan(y[:, t]), t], y_score=s[~np.isnan(y[:, t]), t])
        for t in with_both
    ]
    return average(each) if each else undefined


# %% q8
def cold_split(pairs, mode, seed=0, frac=(0.7, 0.1, 0.2), *, rng=None):
    rng = rng or np.random.Generator(np.random.MT19937(seed))

    def deal(*columns):
        told = list(zip(*columns))
        names = list(dict.fromkeys(told))
        # floors first; what is left over goes to training
        n_val, n_test = (int(share * len(names) + 1e-9) for share in frac[1:])
        n_train = len(names) - n_val - n_test
        deck = [0] * n_train + [1] * n_val + [2] * n_test
        home = dict(zip(names, rng.permutation(deck).tolist()))
        return [home[one] for one in told]

    drugs, targets = [str(p[0]) for p in pairs], [str(p[1]) for p in pairs]
    if mode in ("drug", "target", "pair"):
        part = deal(*{"drug": [drugs], "target": [targets], "pair": [drugs, targets]}[mode])
    else:
        part = [a if a == b else 3 for a, b in zip(deal(drugs), deal(targets))]
    return [
        np.array([row for row, one in enumerate(part) if one == k], dtype=np.int64)
        for k in range(4)
    ]


def concordance_index(y, p, *, ties=0.5):
    y, p = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    won = count = 0
    for step in range(1, len(y)):  # every pair once, by their distance in the list
        dy, dp = y[step:] - y[:-step], p[step:] - p[:-step]
        won += np.sum(dy * dp > 0) + ties * np.sum((dy != 0) & (dp == 0))
        count += np.count_nonzero(dy)
    return won / count if count else float("nan")


def additive_baseline(train, test, *, shrink=0.0):
    pairs, y = train
    y = np.asarray(y, dtype=np.float64)
    m = y.mean()
    answer = [m] * len(test)
    for side in range(2):
        names = np.array([str(pair[side]) for pair in pairs])
        cache: dict[str, float] = {}
        for row, pair in enumerate(test):
            name = str(pair[side])
            if name not in cache:
                own = y[names == name]
                cache[name] = (own.sum() - len(own) * m) / (len(own) + shrink) if len(own) else 0.0
            answer[row] += cache[name]
    return np.array(answer)


class DTANet(nn.Module):
    def __init__(self, node_dims, edge_dims, h=64, L=3, protein_dim=20, *, dropout=0.2, scale=10.0):
        super().__init__()
        self.drug = lab.GraphEncoder(node_dims=node_dims, edge_dims=edge_dims, h=h, L=L)
        self.protein = nn.Sequential(
            nn.Linear(protein_dim, h), nn.Softplus(), nn.Dropout(dropout), nn.Linear(h, h)
        )
        self.head = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Dropout(dropout), nn.Linear(h, 1))

    def forward(self, x, edge_index, edge_attr, batch, protein):
        drug = self.drug(x=x, edge_index=edge_index, edge_attr=edge_attr, batch=batch)
        return self.head(drug + self.protein(protein)).sum(dim=-1)


# %% q9
def compare(y, pa, pb, groups, B=2000, alpha=0.05, seed=0, *, chunk=256):
    y, pa, pb = (np.asarray(v, dtype=float) for v in (y, pa, pb))
    names = {name: number for number, name in enumerate(dict.fromkeys(np.asarray(groups).tolist()))}
    number = np.array([names[name] for name in np.asarray(groups).tolist()])
    G = len(names)
    rmse_of = lambda total, size: np.sqrt(total / size)
    diff = rmse_of(((y - pa) ** 2).sum(), len(y)) - rmse_of(((y - pb) ** 2).sum(), len(y))
    if G < 2:
        return dict(diff=float(diff), lo=float("nan"), hi=float("nan"), verdict="inconclusive")
    rng, found = np.random.default_rng(seed), []
    for start in range(0, B, chunk):
        count = min(chunk, B - start)
        drawn = np.apply_along_axis(np.bincount, 1, rng.integers(G, size=(count, G)), minlength=G)
        times = drawn[:, number]  # how often each row is in each replicate
        size = times.sum(axis=1)
        found.append(rmse_of(times @ (y - pa) ** 2, size) - rmse_of(times @ (y - pb) ** 2, size))
    lo, hi = np.quantile(
        np.concatenate(found), [alpha / 2, 1 - alpha / 2], method="median_unbiased"
    )
    return dict(
        diff=float(diff),
        lo=float(lo),
        hi=float(hi),
        verdict=("a" if hi < 0 else "b" if lo > 0 else "inconclusive"),
    )
