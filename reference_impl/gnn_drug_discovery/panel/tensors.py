"""PyTorch tensors throughout, in splits and the bootstrap too; numbers come back 0-d."""


# %% q3
def gcn_layer(x, edge_index, W, b):
    N = x.size(0)
    loop = edge_index[0].eq(edge_index[1])
    source, target = edge_index[0][~loop], edge_index[1][~loop]
    degree = torch.bincount(target, minlength=N).to(x.dtype) + 1
    root = degree.pow(-0.5).unsqueeze(1)
    z = root * (x @ W)
    # the self-loop first, then the neighbours, scattered to their targets
    out = z.scatter_add(0, target.unsqueeze(1).expand(-1, W.size(1)), z.index_select(0, source))
    return root * out + b


def gin_layer(x, edge_index, W1, b1, W2, b2, eps=0.0):
    source, target = edge_index[0], edge_index[1]
    summed = torch.zeros_like(x).index_put((target,), x[source], accumulate=True)
    return torch.addmm(b2, torch.addmm(b1, x + eps * x + summed, W1).relu(), W2)


# %% q4
class GINELayer(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(()))
        self.mlp = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, h))
        self.norm = nn.BatchNorm1d(h)

    def forward(self, h, edge_index, e):
        message = F.relu(h.index_select(0, edge_index[0]) + e)
        total = torch.zeros_like(h).scatter_reduce(
            0, edge_index[1][:, None].expand_as(message), message, reduce="sum"
        )
        return h + F.relu(self.norm(self.mlp(torch.lerp(h, 2 * h, self.eps) + total)))


class MolGNN(nn.Module):
    SIZE = 13.0

    def __init__(self, node_dims, edge_dims, h=64, L=4):
        super().__init__()
        self.atoms = nn.ModuleList([nn.Embedding(n, h) for n in node_dims])
        self.bonds = nn.ModuleList([nn.Embedding(n, h) for n in edge_dims])
        self.layers = nn.ModuleList([GINELayer(h) for _ in range(L)])
        self.head = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, 1))
        for name, value in (("target_mean", 0.0), ("target_std", 1.0)):
            self.register_buffer(name, torch.tensor(value))

    def embed(self, x, edge_index, edge_attr, batch):
        h = torch.stack([table(code) for table, code in zip(self.atoms, x.unbind(1))]).sum(0)
        e = torch.stack([table(code) for table, code in zip(self.bonds, edge_attr.unbind(1))]).sum(
            0
        )
        for layer in self.layers:
            h = layer(h, edge_index, e)
        # atoms sorted by molecule, then one sum a segment, added up in double precision
        order = torch.argsort(batch, stable=True)
        sizes = torch.bincount(batch)
        sums = torch.segment_reduce(h[order].double(), "sum", lengths=sizes, axis=0)
        return (sums / self.SIZE).float()

    def forward(self, x, edge_index, edge_attr, batch):
        return self.head(self.embed(x, edge_index, edge_attr, batch)).squeeze(-1)


# %% q6
def double(values):
    return torch.as_tensor(values, dtype=torch.float64)


class Standardiser:
    def fit(self, values):
        values = double(np.asarray(values))
        std, mean = torch.std_mean(values, dim=0, correction=0)
        varies = (values != values[0]).any(dim=0)
        self.mean, self.std = mean.numpy(), torch.where(varies, std, torch.ones_like(std)).numpy()
        return self

    def transform(self, values):
        return ((double(np.asarray(values)) - double(self.mean)) / double(self.std)).numpy()

    def inverse(self, values):
        return torch.addcmul(
            double(self.mean), double(np.asarray(values)), double(self.std)
        ).numpy()


def standardise(values, train_rows):
    table = double(np.asarray(values))
    scaler = Standardiser().fit(table[torch.as_tensor(np.asarray(train_rows))].numpy())
    return scaler.transform(table.numpy()), scaler


def rmse(y, p):
    return F.mse_loss(double(p), double(y)).sqrt()


def mae(y, p):
    return F.l1_loss(double(p), double(y))


def r2(y, p):
    y, p = double(y), double(p)
    if (y == y[0]).all():
        return torch.tensor(float("nan"))
    return 1 - (y - p).square().sum() / (y - y.mean()).square().sum()


def spearman(y, p):
    ranks = []
    for values in (double(y), double(p)):
        _, place, count = values.unique(return_inverse=True, return_counts=True)
        ranks.append((count.cumsum(0) - (count - 1) / 2)[place].double())
    if any((r == r[0]).all() for r in ranks):
        return torch.tensor(float("nan"))
    return torch.corrcoef(torch.stack(ranks))[0, 1]


@torch.inference_mode()
def predict(model, graphs, batch_size=256):
    model.eval()
    chunks = [graphs[i : i + batch_size] for i in range(0, len(graphs), batch_size)]
    standard = torch.cat([model(*moldata.collate(chunk)) for chunk in chunks]).double()
    return (model.target_mean.double() + model.target_std.double() * standard).cpu().numpy()


# %% q7
def masked_bce(logits, y, pos_weight=None):
    known = ~y.isnan()
    label = y.masked_fill(~known, 0.0).to(logits.dtype)
    weight = 1 if pos_weight is None else pos_weight.to(logits.dtype)
    # (1 - y) z + (1 + (w - 1) y) softplus(-z)
    value = (1 - label) * logits + (1 + (weight - 1) * label) * F.softplus(-logits)
    value = value.masked_fill(~known, 0.0)
    count = known.sum(0)
    means = value.sum(0)[count > 0] / count[count > 0]
    return means.mean() if len(means) else value.sum()


def multitask_auc(y, s):
    y, s = double(y), double(s)
    found = []
    for label, score in zip(y.T, s.T):
        one, zero = score[label == 1], score[label == 0]
        if len(one) and len(zero):
            gap = one[:, None] - zero[None, :]
            found.append(torch.heaviside(gap, double(0.5)).mean())
    return torch.stack(found).mean() if found else torch.tensor(float("nan"))


# %% q8
def cold_split(pairs, mode, seed=0, frac=(0.7, 0.1, 0.2)):
    codes = [{}, {}]
    drug, target = (
        torch.tensor([codes[side].setdefault(str(pair[side]), len(codes[side])) for pair in pairs])
        for side in (0, 1)
    )
    generator = torch.Generator().manual_seed(seed)

    def deal(number):
        _, number = number.unique(return_inverse=True)
        count = int(number.max()) + 1
        ends = (torch.tensor(frac, dtype=torch.float64).cumsum(0)[:2] * count).round()
        place = torch.randperm(count, generator=generator)
        return ((place >= ends[0]).long() + (place >= ends[1]).long())[number]

    if mode == "both":
        a, b = deal(drug), deal(target)
        part = torch.where(a == b, a, 3)
    elif mode == "pair":
        part = deal(drug * len(codes[1]) + target)
    else:
        part = deal(drug if mode == "drug" else target)
    return tuple(torch.nonzero(part == k).flatten().numpy() for k in range(4))


def concordance_index(y, p):
    i, j = torch.combinations(torch.arange(len(y))).T
    y, p = double(y), double(p)
    higher, agree = torch.sign(y[i] - y[j]), torch.sign(p[i] - p[j])
    counts = higher != 0
    return ((higher * agree)[counts].mean() + 1) / 2 if counts.any() else torch.tensor(float("nan"))


def additive_baseline(train, test):
    pairs, y = train[0], double(train[1])
    answer = y.mean().repeat(len(test))
    for side in (0, 1):
        code = {}
        row = torch.tensor([code.setdefault(str(pair[side]), len(code)) for pair in pairs])
        sums = torch.zeros(len(code) + 1, dtype=torch.float64).index_add(0, row, y - y.mean())
        count = torch.bincount(row, minlength=len(code) + 1).clamp(min=1)
        new = torch.tensor([code.get(str(pair[side]), len(code)) for pair in test])
        answer = answer + (sums / count)[new]
    return answer.numpy()


class DTANet(nn.Module):
    """The protein modulates the atoms' vectors before they are added up."""

    def __init__(self, node_dims, edge_dims, h=64, L=3, protein_dim=20):
        super().__init__()
        self.encoder = lab.GraphEncoder(node_dims, edge_dims, h, L)
        self.film = nn.Linear(protein_dim, 2 * h)
        self.head = nn.Sequential(nn.Linear(h, h), nn.GELU(), nn.Linear(h, 1))

    def forward(self, x, edge_index, edge_attr, batch, protein):
        scale, shift = self.film(protein).chunk(2, dim=1)
        return self.head((1 + scale) * self.encoder(x, edge_index, edge_attr, batch) + shift).mean(
            1
        )


# %% q9
def compare(y, pa, pb, groups, B=2000, alpha=0.05, seed=0):
    y, pa, pb = (torch.as_tensor(np.asarray(v), dtype=torch.float64) for v in (y, pa, pb))
    code = {}
    group = torch.tensor([code.setdefault(str(g), len(code)) for g in np.asarray(groups).tolist()])
    G = len(code)
    squares = torch.stack([torch.ones_like(y), (y - pa) ** 2, (y - pb) ** 2], dim=1)
    sums = torch.zeros(G, 3, dtype=torch.float64).index_add(0, group, squares)

    def difference(total):
        return (total[..., 1] / total[..., 0]).sqrt() - (total[..., 2] / total[..., 0]).sqrt()

    lo = hi = torch.tensor(float("nan"))
    if G > 1:
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randint(G, (B, G), generator=generator)
        lo, hi = difference(sums[drawn].sum(1)).quantile(
            torch.tensor([alpha / 2, 1 - alpha / 2], dtype=torch.float64)
        )
    verdict = "a" if hi < 0 else "b" if lo > 0 else "inconclusive"
    return {"diff": difference(sums.sum(0)), "lo": lo, "hi": hi, "verdict": verdict}
