"""Single precision wherever the text does not ask for double: metrics, counts, the bootstrap."""


# %% q4
class GINELayer(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(1).squeeze())
        self.mlp = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, h))
        self.norm = nn.BatchNorm1d(h)

    def forward(self, h, edge_index, e):
        src, dst = edge_index
        agg = torch.zeros(h.shape, dtype=h.dtype)
        agg.index_put_((dst,), F.relu(h[src] + e), accumulate=True)
        return h + F.relu(self.norm(self.mlp((1.0 + self.eps) * h + agg)))


class MolGNN(nn.Module):
    SIZE = 13.0

    def __init__(self, node_dims, edge_dims, h=64, L=4):
        super().__init__()
        self.h = h
        self.head = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, 1))
        self.layers = nn.ModuleList([GINELayer(h) for _ in range(L)])
        self.bonds = nn.ModuleList([nn.Embedding(c, h) for c in edge_dims])
        self.atoms = nn.ModuleList([nn.Embedding(c, h) for c in node_dims])
        self.register_buffer("target_mean", torch.tensor(0, dtype=torch.float32))
        self.register_buffer("target_std", torch.tensor(1, dtype=torch.float32))

    def embed(self, x, edge_index, edge_attr, batch):
        # one-hot rows times each table
        h = sum(
            F.one_hot(x[:, i], t.num_embeddings).float() @ t.weight
            for i, t in enumerate(self.atoms)
        )
        e = sum(
            F.one_hot(edge_attr[:, i], t.num_embeddings).float() @ t.weight
            for i, t in enumerate(self.bonds)
        )
        for layer in self.layers:
            h = layer(h, edge_index, e)
        B = len(torch.unique(batch))
        return (
            torch.zeros(B, self.h).scatter_add_(0, batch[:, None].repeat(1, self.h), h) / self.SIZE
        )

    def forward(self, x, edge_index, edge_attr, batch):
        return self.head(self.embed(x, edge_index, edge_attr, batch)).reshape(-1)


# %% q5
def train_regressor(train, val, seed=0, device="cpu", max_seconds=60.0):
    """Targets and scaling in single precision; batches are collated once a pass, largest last."""
    began = time.time()
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    graphs_, y = train
    y = torch.tensor(np.array(y), dtype=torch.float32)
    mean, std = y.mean(), y.std(correction=0)
    net = MolGNN(moldata.NODE_DIMS, moldata.EDGE_DIMS).to(device)
    net.target_mean, net.target_std = mean.to(device), std.to(device)
    net.history = []
    epochs, size = 40, 32
    steps = epochs * ((len(graphs_) + size - 1) // size)
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    warm = max(1, steps // 10)

    def rate(step):
        return (
            step / warm
            if step < warm
            else 0.5 * (1 + np.cos(np.pi * (step - warm) / (steps - warm)))
        )

    plan = torch.optim.lr_scheduler.LambdaLR(opt, lambda step: max(rate(step), 1e-3))
    v_in, v_y = moldata.collate(val[0]), torch.tensor(np.array(val[1]), dtype=torch.float32)
    for epoch in range(epochs):
        net.train()
        running = []
        for rows in torch.randperm(len(graphs_), generator=generator).split(size):
            if time.time() - began > max_seconds:
                break
            if len(rows) < 2:
                continue
            inputs = [t.to(device) for t in moldata.collate([graphs_[r] for r in rows.tolist()])]
            loss = ((net(*inputs) - ((y[rows] - mean) / std).to(device)) ** 2).mean()
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
            plan.step()
            running.append(float(loss))
        else:
            net.eval()
            with torch.no_grad():
                p = mean + std * net(*[t.to(device) for t in v_in]).cpu()
            net.history.append((sum(running) / len(running), float(((p - v_y) ** 2).mean().sqrt())))
            continue
        break
    return net.to("cpu").eval()


# %% q5
sol_model = None
with lab.needs("q4", "q5"):
    sol_model = coursekit.load_or_train(
        "a2_sol.safetensors",
        build=lambda: MolGNN(moldata.NODE_DIMS, moldata.EDGE_DIMS),
        train=lambda: train_regressor(
            (graphs["train"], sol["train"].y),
            (graphs["val"], sol["val"].y),
            seed=0,
            device=device,
            max_seconds=180,
        ),
        metadata={"seed": "0"},
    )

# %% q6
f32 = np.float32


class Standardiser:
    """The text asks for double precision here."""

    def fit(self, values):
        values = np.asarray(values, dtype=np.float64)
        self.mean, self.std = values.mean(axis=0), values.std(axis=0)
        self.std = np.where(
            np.max(values, axis=0) == np.min(values, axis=0), np.float64(1), self.std
        )
        return self

    def transform(self, values):
        return (np.asarray(values) - self.mean) / self.std

    def inverse(self, values):
        return np.asarray(values) * self.std + self.mean


def standardise(values, train_rows):
    scaler = Standardiser().fit(np.asarray(values)[train_rows])
    return scaler.transform(values), scaler


def rmse(y, p):
    y, p = np.asarray(y, dtype=f32), np.asarray(p, dtype=f32)
    return np.sqrt(np.mean((y - p) ** 2))


def mae(y, p):
    return torch.nn.L1Loss()(
        torch.tensor(np.array(y)).float(), torch.tensor(np.array(p)).float()
    ).item()


def r2(y, p):
    y, p = np.asarray(y, dtype=f32), np.asarray(p, dtype=f32)
    if np.all(y == y[0]):
        return f32("nan")
    return f32(1) - np.sum((y - p) ** 2) / np.sum((y - y.mean()) ** 2)


def spearman(y, p):
    from scipy.stats import rankdata

    a, b = (torch.tensor(rankdata(v), dtype=torch.float32) for v in (y, p))
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return F.cosine_similarity(a - a.mean(), b - b.mean(), dim=0).item()


def predict(model, graphs, batch_size=256):
    """Standard units are single precision, as the network's; the unit of the target is double."""
    model.eval()
    found = np.empty(len(graphs), dtype=np.float64)
    at = 0
    while at < len(graphs):
        block = graphs[at : at + batch_size]
        with torch.no_grad():
            found[at : at + len(block)] = model(*moldata.collate(block)).numpy()
        at += len(block)
    return found * model.target_std.item() + model.target_mean.item()


# %% q7
def masked_bce(logits, y, pos_weight=None):
    """In the dtype of the logits, whichever that is."""
    kind = logits.dtype
    w = torch.ones(logits.shape[1], dtype=kind) if pos_weight is None else pos_weight.to(kind)
    parts = []
    for z, t, weight in zip(logits.unbind(1), y.unbind(1), w):
        known = torch.nonzero(~torch.isnan(t))[:, 0]
        if known.numel() == 0:
            continue
        z, t = z[known], t[known].to(kind)
        zero = torch.zeros((), dtype=kind)
        parts.append(
            (weight * t * torch.logaddexp(zero, -z) + (1 - t) * torch.logaddexp(zero, z)).mean()
        )
    if not parts:
        return torch.zeros_like(logits).mul(logits).sum()
    return sum(parts) / len(parts)


def multitask_auc(y, s):
    y, s = np.asarray(y, dtype=f32), np.asarray(s, dtype=f32)
    each = [
        roc_auc_score(label[~np.isnan(label)], score[~np.isnan(label)])
        for label, score in zip(y.T, s.T)
        if np.nanmin(np.append(label, 9)) == 0 and np.nanmax(np.append(label, -9)) == 1
    ]
    return f32(np.mean(each)) if each else f32("nan")


# %% q8
def cold_split(pairs, mode, seed=0, frac=(0.7, 0.1, 0.2)):
    """A part by the rank of a seeded hash of each name."""
    import hashlib

    def rank(names):
        keyed = sorted(
            set(names), key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest()
        )
        return {name: (place + 0.5) / len(keyed) for place, name in enumerate(keyed)}

    def part(position):
        return 0 if position < frac[0] else 1 if position < frac[0] + frac[1] else 2

    drugs, targets = [f"d{p[0]}" for p in pairs], [f"t{p[1]}" for p in pairs]
    named = {"drug": drugs, "target": targets, "pair": [f"{d} {t}" for d, t in zip(drugs, targets)]}
    if mode == "both":
        d, t = rank(drugs), rank(targets)
        where = [(part(d[a]), part(t[b])) for a, b in zip(drugs, targets)]
        where = [a if a == b else 3 for a, b in where]
    else:
        place = rank(named[mode])
        where = [part(place[name]) for name in named[mode]]
    where = np.array(where, dtype=np.int8)
    return tuple(np.flatnonzero(where == k).astype(np.int64) for k in range(4))


def concordance_index(y, p):
    y, p = np.asarray(y, dtype=f32), np.asarray(p, dtype=f32)
    pairs = np.less.outer(y, y).T
    if not pairs.any():
        return f32("nan")
    won = np.greater.outer(p, p).astype(f32) + f32(0.5) * np.equal.outer(p, p).astype(f32)
    return won[pairs].sum(dtype=f32) / f32(pairs.sum())


def additive_baseline(train, test):
    """Double precision, as the text asks."""
    from collections import defaultdict

    pairs, y = train
    m = np.mean(y, dtype=np.float64)
    level = defaultdict(lambda: m)
    for side in (0, 1):
        rows = defaultdict(list)
        for pair, value in zip(pairs, y):
            rows[pair[side]].append(value)
        for name, values in rows.items():
            level[side, name] = np.mean(values, dtype=np.float64)
    return np.array([m + (level[0, d] - m) + (level[1, t] - m) for d, t in test], dtype=np.float64)


class DTANet(nn.Module):
    """Mean-pooled atoms beside the protein."""

    def __init__(self, node_dims, edge_dims, h=64, L=3, protein_dim=20):
        super().__init__()
        self.tables = nn.ModuleList([nn.Embedding(c, h) for c in node_dims])
        self.kinds = nn.ModuleList([nn.Embedding(c, h) for c in edge_dims])
        self.rounds = nn.ModuleList([nn.Linear(2 * h, h) for _ in range(L)])
        self.protein = nn.Linear(protein_dim, h)
        self.head = nn.Sequential(nn.Linear(2 * h, h), nn.ReLU(), nn.Linear(h, 1))

    def forward(self, x, edge_index, edge_attr, batch, protein):
        h = sum(t(x[:, i]) for i, t in enumerate(self.tables))
        e = sum(t(edge_attr[:, i]) for i, t in enumerate(self.kinds))
        src, dst = edge_index
        for layer in self.rounds:
            heard = torch.zeros_like(h).index_add(0, dst, torch.relu(h[src] + e))
            h = h + torch.relu(layer(torch.cat([h, heard], 1)))
        size = torch.bincount(batch, minlength=len(protein)).float().clamp(min=1)
        mean = torch.zeros(len(protein), h.shape[1]).index_add(0, batch, h) / size[:, None]
        return self.head(torch.cat([mean, self.protein(protein)], 1))[:, 0]


# %% q9
def compare(y, pa, pb, groups, B=2000, alpha=0.05, seed=0):
    y, pa, pb = (np.asarray(v, dtype=f32) for v in (y, pa, pb))
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    G = int(group.max()) + 1
    one_hot = np.zeros((G, len(y)), dtype=f32)
    one_hot[group, np.arange(len(y))] = 1
    sums = one_hot @ np.stack([np.ones_like(y), np.square(y - pa), np.square(y - pb)], axis=1)

    def difference(weights):
        size, a, b = np.moveaxis(weights @ sums, -1, 0)
        return np.sqrt(a / size) - np.sqrt(b / size)

    diff = difference(np.ones(G, dtype=f32))
    if G < 2:
        return {"diff": diff, "lo": f32("nan"), "hi": f32("nan"), "verdict": "inconclusive"}
    rng = np.random.Generator(np.random.Philox(seed))
    drawn = np.stack([np.bincount(rng.integers(0, G, G), minlength=G) for _ in range(B)]).astype(
        f32
    )
    lo, hi = np.quantile(difference(drawn), [alpha / 2, 1 - alpha / 2], method="hazen").astype(f32)
    return {
        "diff": diff,
        "lo": lo,
        "hi": hi,
        "verdict": "a" if hi < 0 else "b" if lo > 0 else "inconclusive",
    }
