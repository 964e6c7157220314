"""Networks that start silent (last layers at zero); one-element vectors for scalars.

weights: trained
"""


# %% q4
class GINELayer(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(1))
        self.mlp = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, h))
        self.norm = nn.BatchNorm1d(h)
        # the way round is all there is at first: every layer begins as the identity
        nn.init.kaiming_normal_(self.mlp[0].weight, nonlinearity="relu")
        nn.init.zeros_(self.norm.weight)

    def forward(self, h, edge_index, e):
        source, target = edge_index
        summed = torch.index_add((1 + self.eps) * h, 0, target, torch.relu(h[source] + e))
        return h + torch.relu(self.norm(self.mlp(summed)))


class MolGNN(nn.Module):
    SIZE = 13.0

    def __init__(self, node_dims, edge_dims, h=64, L=4):
        super().__init__()
        self.register_buffer("target_mean", torch.zeros(1))
        self.register_buffer("target_std", torch.ones(1))
        self.atoms = nn.ModuleList([nn.Embedding(n, h) for n in node_dims])
        self.bonds = nn.ModuleList([nn.Embedding(n, h) for n in edge_dims])
        for table in (*self.atoms, *self.bonds):
            nn.init.normal_(table.weight, std=0.1)
        self.layers = nn.ModuleList([GINELayer(h) for _ in range(L)])
        self.head = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, 1))
        nn.init.zeros_(self.head[2].weight)
        nn.init.zeros_(self.head[2].bias)

    def embed(self, x, edge_index, edge_attr, batch):
        h = sum(table(x[:, k]) for k, table in enumerate(self.atoms))
        e = sum(table(edge_attr[:, k]) for k, table in enumerate(self.bonds))
        for layer in self.layers:
            h = layer(h, edge_index, e)
        return torch.zeros(int(batch.max()) + 1, h.shape[1]).index_add(0, batch, h) / self.SIZE

    def forward(self, x, edge_index, edge_attr, batch):
        return self.head(self.embed(x, edge_index, edge_attr, batch)).squeeze(1)


# %% q5
def train_regressor(train, val, seed=0, device="cpu", max_seconds=60.0):
    """Adam and a mean absolute error; the pass with the best validation error is kept."""
    began = time.monotonic()
    torch.manual_seed(seed)
    graphs_in, y = train[0], torch.tensor(np.asarray(train[1], dtype=np.float64))
    mean, std = y.mean(), y.std(correction=0)
    z = ((y - mean) / std).float().to(device)
    model = MolGNN(moldata.NODE_DIMS, moldata.EDGE_DIMS).to(device)
    model.target_mean[0], model.target_std[0] = mean, std
    passes, size = 45, 32
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    steps = passes * (len(graphs_in) // size + 1)
    plan = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 4e-3, total_steps=steps + 1, pct_start=0.2
    )
    watched, truth = moldata.collate(val[0]), np.asarray(val[1], dtype=float)
    history, best, kept = [], float("inf"), None
    for _ in range(passes):
        model.train()
        total, count = 0.0, 0
        for rows in torch.randperm(len(graphs_in)).split(size):
            if len(rows) == 1:
                continue
            loss = F.l1_loss(
                model(
                    *(t.to(device) for t in moldata.collate([graphs_in[r] for r in rows.tolist()]))
                ),
                z[rows],
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            plan.step()
            total, count = total + float(loss), count + 1
            if time.monotonic() - began > max_seconds:
                break
        model.eval()
        with torch.no_grad():
            p = (
                float(mean)
                + float(std) * model(*(t.to(device) for t in watched)).cpu().double().numpy()
            )
        history.append((total / count, float(np.sqrt(((p - truth) ** 2).mean()))))
        if history[-1][1] < best:
            best, kept = history[-1][1], {k: v.clone() for k, v in model.state_dict().items()}
        if time.monotonic() - began > max_seconds:
            break
    model.load_state_dict(kept)
    model.history = history
    return model.cpu().eval()


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


# %% q8
def cold_split(pairs, mode, seed=0, frac=(0.7, 0.1, 0.2)):
    rng = np.random.default_rng(seed)
    sides = {"pair": [None], "drug": [0], "target": [1], "both": [0, 1]}[mode]
    homes = []
    for side in sides:
        told = [
            tuple(pair) if side is None else pair[side]
            for pair in np.asarray(pairs, dtype=object).tolist()
        ]
        names = sorted(set(told), key=repr)
        keys = rng.random(len(names))
        # the smallest random keys are the test, the next ones validation
        n_test, n_val = int(frac[2] * len(names) + 0.5), int(frac[1] * len(names) + 0.5)
        order = np.argsort(keys)
        part = np.zeros(len(names), dtype=int)
        part[order[:n_test]], part[order[n_test : n_test + n_val]] = 2, 1
        home = dict(zip(names, part.tolist()))
        homes.append([home[name] for name in told])
    where = np.array([parts[0] if len(set(parts)) == 1 else 3 for parts in zip(*homes)])
    return tuple((where == k).nonzero()[0] for k in range(4))


def concordance_index(y, p):
    """The mean over classes of "above a threshold" of their Mann-Whitney counts."""
    y, p = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    won = pairs = 0.0
    for value in np.unique(y)[1:]:
        here, below = p[y == value], np.sort(p[y < value])
        won += (
            np.sum(np.searchsorted(below, here, "left") + np.searchsorted(below, here, "right")) / 2
        )
        pairs += here.size * below.size
    return won / pairs if pairs else np.nan


def additive_baseline(train, test):
    """Means as least squares on one column a name, each side by itself."""
    pairs, y = train
    y = np.asarray(y, dtype=np.float64)
    out = np.full(len(test), y.mean())
    for side in (0, 1):
        names = sorted({str(pair[side]) for pair in pairs})
        column = {name: k for k, name in enumerate(names)}
        design = np.zeros((len(y), len(names)))
        design[np.arange(len(y)), [column[str(pair[side])] for pair in pairs]] = 1
        level = np.linalg.lstsq(design, y - y.mean(), rcond=None)[0]
        out += [
            level[column[str(pair[side])]] if str(pair[side]) in column else 0.0 for pair in test
        ]
    return out


class DTANet(nn.Module):
    """Starts as the answer 0 for every pair; the last layer learns first."""

    def __init__(self, node_dims, edge_dims, h=64, L=3, protein_dim=20):
        super().__init__()
        self.drug = lab.GraphEncoder(node_dims, edge_dims, h, L)
        self.protein = nn.Sequential(nn.Linear(protein_dim, h), nn.ReLU())
        self.joint = nn.Sequential(nn.Linear(2 * h, h), nn.ReLU())
        self.last = nn.Linear(h, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x, edge_index, edge_attr, batch, protein):
        both = torch.cat(
            [self.drug(x, edge_index, edge_attr, batch), self.protein(protein)], dim=-1
        )
        return self.last(self.joint(both)).squeeze(-1)
