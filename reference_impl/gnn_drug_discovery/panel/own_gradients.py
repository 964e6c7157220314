"""Layers with gradients written by hand; SGD with momentum and averaged weights.

weights: trained
"""


# %% q3
class Spread(torch.autograd.Function):
    """Weighted sums over edges: out[target] += weight * x[source]; backwards along the edges."""

    @staticmethod
    def forward(ctx, x, source, target, weight):
        ctx.save_for_backward(source, target, weight)
        out = x.new_zeros(x.shape)
        return out.index_add_(0, target, weight[:, None] * x[source])

    @staticmethod
    def backward(ctx, upstream):
        source, target, weight = ctx.saved_tensors
        back = upstream.new_zeros(upstream.shape)
        back.index_add_(0, source, weight[:, None] * upstream[target])
        return back, None, None, None


def gcn_layer(x, edge_index, W, b):
    n = len(x)
    source, target = (ends[edge_index[0] != edge_index[1]] for ends in edge_index)
    source, target = (torch.cat([torch.arange(n), ends]) for ends in (source, target))
    degree = torch.zeros(n, dtype=x.dtype).scatter_add(
        0, target, torch.ones(len(target), dtype=x.dtype)
    )
    weight = torch.rsqrt(degree[source]) * torch.rsqrt(degree[target])
    return Spread.apply(x, source, target, weight) @ W + b


def gin_layer(x, edge_index, W1, b1, W2, b2, eps=0.0):
    u = x * (1 + eps) + Spread.apply(x, *edge_index, torch.ones(edge_index.shape[1], dtype=x.dtype))
    return torch.relu(u @ W1 + b1) @ W2 + b2


# %% q4
class Total(torch.autograd.Function):
    """Sums of rows by number."""

    @staticmethod
    def forward(ctx, rows, number, count):
        ctx.save_for_backward(number)
        return rows.new_zeros(count, rows.shape[1]).index_add_(0, number, rows)

    @staticmethod
    def backward(ctx, upstream):
        (number,) = ctx.saved_tensors
        return upstream[number], None, None


class GINELayer(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(()))
        self.mlp = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, h))
        self.norm = nn.BatchNorm1d(h)

    def forward(self, h, edge_index, e):
        heard = Total.apply(F.relu(h[edge_index[0]] + e), edge_index[1], len(h))
        return h + F.relu(self.norm(self.mlp(h + self.eps * h + heard)))


class MolGNN(nn.Module):
    SIZE = 13.0

    def __init__(self, node_dims, edge_dims, h=64, L=4):
        super().__init__()
        self.register_buffer("target_mean", torch.tensor(0.0))
        self.register_buffer("target_std", torch.tensor(1.0))
        self.atoms = nn.ModuleList([nn.Embedding(n, h) for n in node_dims])
        self.bonds = nn.ModuleList([nn.Embedding(n, h) for n in edge_dims])
        self.layers = nn.ModuleList([GINELayer(h) for _ in range(L)])
        self.head = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, 1))
        for table in (*self.atoms, *self.bonds):
            nn.init.xavier_uniform_(table.weight)

    def embed(self, x, edge_index, edge_attr, batch):
        h = 0
        for table, column in zip(self.atoms, x.T):
            h = h + table(column)
        e = 0
        for table, column in zip(self.bonds, edge_attr.T):
            e = e + table(column)
        for layer in self.layers:
            h = layer(h, edge_index, e)
        return Total.apply(h, batch, int(batch.max()) + 1) / self.SIZE

    def forward(self, x, edge_index, edge_attr, batch):
        return self.head(self.embed(x, edge_index, edge_attr, batch)).squeeze(1)


# %% q5
def train_regressor(train, val, seed=0, device="cpu", max_seconds=60.0):
    stop = time.monotonic() + max_seconds
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    graphs_in, y = list(train[0]), np.asarray(train[1], dtype=np.float64)
    model = MolGNN(moldata.NODE_DIMS, moldata.EDGE_DIMS).to(device)
    model.target_mean += y.mean() - model.target_mean
    model.target_std *= y.std()
    z = torch.as_tensor((y - y.mean()) / y.std()).float().to(device)
    optimiser = torch.optim.SGD(
        model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4
    )
    passes = 50
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, passes, eta_min=1e-4)
    averaged, model.history = {}, []
    for number in range(passes):
        model.train()
        order, losses = generator.permutation(len(graphs_in)), []
        for at in range(0, len(order) - 1, 32):
            rows = order[at : at + 32]
            if len(rows) < 2 or time.monotonic() > stop:
                continue
            out = model(
                *(part.to(device) for part in moldata.collate([graphs_in[r] for r in rows]))
            )
            loss = (out - z[torch.as_tensor(rows)]).pow(2).mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            losses.append(loss.item())
        plan.step()
        # a running average of the weights over passes; it is what is handed back
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                keep = min(0.8, number / (number + 3))
                averaged[name] = (
                    value.clone()
                    if name not in averaged
                    else keep * averaged[name] + (1 - keep) * value
                )
        model.eval()
        with torch.no_grad():
            p = (
                model(*(part.to(device) for part in moldata.collate(val[0]))).cpu().double().numpy()
                * y.std()
                + y.mean()
            )
        error = float(np.sqrt(np.mean((p - np.asarray(val[1])) ** 2)))
        model.history.append((float(np.mean(losses or [np.nan])), error))
        if time.monotonic() > stop:
            break
    model.load_state_dict(averaged, strict=False)
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


# %% q7
class WeightedLogistic(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, label, known, weight):
        count = known.sum(0).clamp(min=1)
        share = known.to(logits.dtype) / count / (known.any(0).sum().clamp(min=1))
        p = torch.sigmoid(logits)
        ctx.save_for_backward(share * (label * weight * (p - 1) + (1 - label) * p))
        # log(1 + exp(z)) without overflow
        soft = torch.log1p(torch.exp(-logits.abs()))
        value = weight * label * (soft + (-logits).clamp(min=0)) + (1 - label) * (
            soft + logits.clamp(min=0)
        )
        return (share * value).sum()

    @staticmethod
    def backward(ctx, upstream):
        (slope,) = ctx.saved_tensors
        return upstream * slope, None, None, None


def masked_bce(logits, y, pos_weight=None):
    known = y == y
    weight = torch.ones(y.shape[1]) if pos_weight is None else pos_weight
    label = torch.nan_to_num(y, nan=0.0).to(logits.dtype)
    return WeightedLogistic.apply(logits, label, known, weight.detach().to(logits.dtype))


def multitask_auc(y, s):
    from sklearn.metrics import auc, roc_curve

    y, s = np.asarray(y, dtype=float), np.asarray(s, dtype=float)
    found = []
    for t in range(y.shape[1]):
        rows = np.flatnonzero(np.isfinite(y[:, t]))
        if len(set(y[rows, t].tolist())) < 2:
            continue
        found.append(auc(*roc_curve(y[rows, t], s[rows, t])[:2]))
    return float(np.average(found)) if found else float("nan")
