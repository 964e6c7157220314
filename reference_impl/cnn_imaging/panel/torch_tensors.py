"""Tensors throughout: PyTorch computes what the solution leaves to NumPy."""


# %% q1
def patient_split(patient_id, y, fractions=(0.7, 0.15, 0.15), seed=0):
    names = sorted(set(patient_id.tolist() if hasattr(patient_id, "tolist") else patient_id))
    number = {name: i for i, name in enumerate(names)}
    rank = torch.tensor([number[name] for name in patient_id])
    labels = torch.as_tensor(np.asarray(y, dtype=np.int64))
    positive = torch.zeros(len(names), dtype=torch.int64).scatter_reduce(0, rank, labels, "amax")

    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(names), generator=generator)
    shuffled = shuffled[torch.argsort(positive[shuffled], stable=True)]
    # every k-th patient of the sorted queue: golden steps spread both classes over [0, 1)
    position = torch.empty(len(names), dtype=torch.float64)
    for label in (0, 1):
        members = shuffled[positive[shuffled] == label]
        position[members] = torch.linspace(0, 1, len(members) + 2, dtype=torch.float64)[1:-1]
    queue = torch.argsort(position, stable=True)
    sizes = [round(fraction * len(names)) for fraction in fractions[:2]]
    sizes.append(len(names) - sum(sizes))
    return [torch.nonzero(torch.isin(rank, part)).flatten().numpy() for part in queue.split(sizes)]


# %% q2
def fit_normaliser(X):
    pixels = torch.as_tensor(np.asarray(X)).double().transpose(0, 1).flatten(1)  # [3, N H W]
    std, mean = torch.std_mean(pixels, dim=1, correction=0)
    std = torch.where(pixels.amax(1) == pixels.amin(1), torch.ones_like(std), std)
    return mean.numpy(), std.numpy()


def apply(X, stats):
    X = torch.as_tensor(np.asarray(X))
    mean, std = (torch.as_tensor(np.asarray(v)).reshape(1, -1, 1, 1) for v in stats)
    scaled = (X.double() - mean) / std
    return scaled.to(X.dtype if X.dtype == torch.float64 else torch.float32).numpy()


def augment(x, mask, rng):
    """Flips, and a shift of up to four pixels as in a padded random crop."""
    image, outline = torch.from_numpy(np.array(x)), torch.from_numpy(np.array(mask))
    flipped = [axis for axis in (-1, -2) if rng.integers(2)]
    down, right = (int(v) for v in rng.integers(-4, 5, size=2))
    height, width = outline.shape
    rows = (torch.arange(height) + down).clamp(0, height - 1)
    columns = (torch.arange(width) + right).clamp(0, width - 1)
    move = lambda v: v.flip(flipped)[..., rows, :][..., columns]
    return move(image).numpy(), move(outline).numpy()


# %% q3
def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """Windows as views (``Tensor.unfold``), thinned out where there is dilation."""
    (sy, sx), (py, px), (dy, dx) = (
        v if isinstance(v, (tuple, list)) else (v, v) for v in (stride, padding, dilation)
    )
    out_channels, _, kh, kw = w.shape
    x = F.pad(x, (px, px, py, py))
    windows = x.unfold(2, dy * (kh - 1) + 1, sy).unfold(3, dx * (kw - 1) + 1, sx)
    windows = windows[..., ::dy, ::dx]  # [B, Ci, Ho, Wo, kh, kw]
    windows = windows.unflatten(1, (groups, -1))
    kernels = w.unflatten(0, (groups, out_channels // groups))
    out = torch.einsum("bgchwuv,gocuv->bgohw", windows, kernels).flatten(1, 2)
    return out if b is None else out + b.reshape(-1, 1, 1)


# %% q4
class BasicBlock(nn.Module):
    def __init__(self, cin, cout, stride=1):
        super().__init__()
        for number, channels in ((1, cin), (2, cout)):
            convolution = nn.Conv2d(
                channels, cout, 3, stride=stride if number == 1 else 1, padding=1, bias=False
            )
            self.add_module(f"conv{number}", convolution)
            self.add_module(f"bn{number}", nn.BatchNorm2d(cout))
        if (cin, stride) == (cout, 1):
            self.shortcut = nn.Identity()
        else:
            self.shortcut = nn.Sequential()
            self.shortcut.append(nn.Conv2d(cin, cout, 1, stride=stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(cout))

    def forward(self, x):
        branch = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.clamp_min(branch + self.shortcut(x), 0)


class SmallResNet(nn.Module):
    def __init__(self, width=16, n=1, n_classes=2, in_channels=3):
        super().__init__()
        self.standardise = lab.Standardise(in_channels)
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, width, kernel_size=3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        stage = lambda cin, cout, stride: nn.Sequential(
            *(BasicBlock(*((cout, cout) if i else (cin, cout, stride))) for i in range(n))
        )
        self.stages = nn.Sequential(
            stage(width, width, 1), stage(width, 2 * width, 2), stage(2 * width, 4 * width, 2)
        )
        self.head = nn.Linear(4 * width, n_classes)

    def forward(self, x):
        for part in (self.standardise, self.stem, self.stages):
            x = part(x)
        return F.linear(x.flatten(2).mean(-1), self.head.weight, self.head.bias)


# %% q4
def vgg(cfg, n_classes=2, in_channels=3):
    features, channels = nn.Sequential(), in_channels
    for item in cfg:
        if isinstance(item, str):
            features.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        features.append(nn.Conv2d(channels, item, kernel_size=3, padding=1, bias=False))
        features.append(nn.BatchNorm2d(item))
        features.append(nn.ReLU(inplace=True))
        channels = item
    network = nn.Sequential()
    network.add_module("features", features)
    network.add_module("pool", nn.AdaptiveAvgPool2d((1, 1)))
    network.add_module("flatten", nn.Flatten())
    network.add_module("head", nn.Linear(channels, n_classes))
    return network


# %% q7
def train_classifier(train, val, seed=0, device="cpu", max_seconds=60.0):
    """All images stay on the device as one tensor; each batch makes one common movement."""
    started = time.perf_counter()
    torch.manual_seed(seed)
    X = lab.to_unit(train[0], device)
    y = torch.as_tensor(np.asarray(train[1])).long().to(device)
    model = SmallResNet().to(device)
    with torch.no_grad():
        model.standardise.mean.copy_(X.mean((0, 2, 3)))
        model.standardise.std.copy_(X.std((0, 2, 3)))
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4)
    epochs = 12
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        model.train()
        for rows in torch.randperm(len(X)).split(32):
            if len(rows) == 1:
                continue
            batch = torch.rot90(X[rows], int(torch.randint(4, ())), (2, 3))
            batch = batch.flip(3) if torch.rand(()) < 0.5 else batch
            optimiser.zero_grad(set_to_none=True)
            F.nll_loss(F.log_softmax(model(batch), 1), y[rows]).backward()
            optimiser.step()
            if time.perf_counter() - started >= max_seconds:
                return model.eval()
        decay.step()
    model.eval()
    return model


# %% q7
def predict_proba(model, X, batch=256):
    device = next(model.parameters()).device
    before = model.training
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(lab.to_unit(part, device)) for part in np.array_split(
            np.asarray(X), max(1, -(-len(X) // batch)))])  # fmt: skip
    model.train(before)
    return torch.sigmoid(logits[:, 1] - logits[:, 0]).cpu().numpy()


# %% q7
classifier = None
with lab.needs("q7"):
    classifier = coursekit.load_or_train(
        "a1_cls.safetensors",
        build=SmallResNet,
        train=lambda: train_classifier((train.X, train.y), (val.X, val.y), 0, device),
    )

# %% q7
found = torch.as_tensor(predict_proba(classifier, val.X))[torch.as_tensor(val.y == 1)]
enough = int(np.ceil(0.9 * len(found) - 1e-9))
threshold = torch.topk(found, enough).values[-1].item()


# %% q9
def adapt_first_conv(w, in_ch):
    with torch.no_grad():
        if in_ch == 1:
            return w[:, 0:1] + w[:, 1:2] + w[:, 2:3]
        return F.pad(w, (0, 0, 0, 0, 0, in_ch - 3)).clone()


# %% q9
def prepare_finetune(model, n_classes, freeze=(), lr_head=1e-3, lr_body=1e-4):
    """The copy's own ``train`` puts frozen parts back into evaluation mode."""
    tuned = copy.deepcopy(model)
    tuned.head = nn.Linear(tuned.head.in_features, n_classes, bias=tuned.head.bias is not None)
    nn.init.xavier_uniform_(tuned.head.weight)
    nn.init.zeros_(tuned.head.bias)
    frozen = [tuned.get_submodule(name) for name in freeze]
    for part in frozen:
        part.requires_grad_(False)

    class FineTuned(type(tuned)):
        def train(self, mode=True):
            super().train(mode)
            for part in frozen:
                part.eval()
            return self

    tuned.__class__ = FineTuned
    tuned.train(model.training)
    names = {False: [], True: []}
    for name, parameter in tuned.named_parameters():
        if parameter.requires_grad:
            names[name.startswith("head")].append(parameter)
    return tuned, [
        {"params": names[False], "lr": lr_body, "name": "body"},
        {"params": names[True], "lr": lr_head, "name": "head"},
    ]


# %% q10
def _sums(p, m):
    p, m = (torch.as_tensor(np.asarray(v)).double().flatten(1) for v in (p, m))
    return torch.einsum("ni,ni->n", p, m), p.sum(1), m.sum(1)


def dice(p, m):
    both, predicted, true = _sums(p, m)
    return torch.nan_to_num(2 * both / (predicted + true), nan=1.0).numpy()


def iou(p, m):
    both, predicted, true = _sums(p, m)
    return torch.nan_to_num(both / (predicted + true - both), nan=1.0).numpy()


def soft_dice_loss(logits, m, eps=1e-6):
    q = logits.sigmoid()
    both = torch.linalg.vecdot(q.flatten(1), m.to(q.dtype).flatten(1))
    return torch.mean(1 - (2 * both + eps) / ((q + m).sum((1, 2)) + eps))


class UNet(nn.Module):
    def __init__(self, width=12, in_channels=3):
        super().__init__()
        w = (in_channels, width, 2 * width, 4 * width)
        self.standardise = lab.Standardise(in_channels)
        self.down = nn.ModuleList(lab.DoubleConv(a, b) for a, b in zip(w[:-1], w[1:]))
        self.up = nn.ModuleList(nn.ConvTranspose2d(w[k + 1], w[k], 2, 2) for k in (2, 1))
        self.merge = nn.ModuleList(lab.DoubleConv(2 * w[k], w[k]) for k in (2, 1))
        self.head = nn.Conv2d(width, 1, 1)
        self.halve = nn.MaxPool2d(2)

    def forward(self, x):
        return self.head(self.around(self.standardise(x), 0))

    def around(self, x, level):
        """What comes back from ``level`` and all below it."""
        here = self.down[level](x)
        if level == 2:
            return here
        below = self.around(self.halve(here), level + 1)
        return self.merge[1 - level](torch.cat((self.up[1 - level](below), here), 1))


segmenter = None
with lab.needs("q10"):
    segmenter = coursekit.load_or_train(
        "a1_seg.safetensors",
        build=UNet,
        train=lambda: lab.train_segmenter(UNet(), soft_dice_loss, train, seed=0, device=device),
    )


# %% q11
def _boxes(v):
    return torch.as_tensor(np.asarray(v, dtype=np.float64)).reshape(-1, 4)


def box_iou(a, b):
    a, b = _boxes(a), _boxes(b)
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    both = torch.relu(high - low).prod(-1)
    area = lambda v: (v[:, 2:] - v[:, :2]).prod(-1)
    union = area(a)[:, None] + area(b) - both
    return torch.where(union > 0, both / union.clamp(min=1e-300), 0.0).numpy()


def nms(boxes, scores, thr, labels=None):
    order = torch.argsort(torch.as_tensor(np.asarray(scores, float)), descending=True, stable=True)
    clash = torch.as_tensor(box_iou(boxes, boxes)) > thr
    if labels is not None:
        labels = torch.as_tensor(np.asarray(labels))
        clash = clash & (labels[:, None] == labels)
    alive = torch.ones(len(order), dtype=torch.bool)
    kept = []
    for i in order.tolist():
        if alive[i]:
            kept.append(i)
            alive &= ~clash[i]
    return torch.tensor(kept, dtype=torch.int64).numpy()


def _hits(boxes, scores, truth, iou_thr):
    flat = torch.cat([torch.as_tensor(np.asarray(s, float)).flatten() for s in scores])
    where = [(i, j) for i, s in enumerate(scores) for j in range(len(s))]
    overlaps = [torch.as_tensor(box_iou(b, t)) for b, t in zip(boxes, truth)]
    flat, order = torch.sort(flat, descending=True, stable=True)
    hit = torch.zeros(len(order), dtype=torch.bool)
    for rank, k in enumerate(order.tolist()):
        i, j = where[k]
        if overlaps[i].shape[1] and overlaps[i][j].max() >= iou_thr:
            hit[rank] = True
            overlaps[i][:, overlaps[i][j].argmax()] = -1  # taken
    return flat, hit


def average_precision_det(boxes, scores, truth, iou_thr=0.5):
    n_true = sum(len(_boxes(t)) for t in truth)
    if n_true == 0:
        return float("nan")
    _, hit = _hits(boxes, scores, truth, iou_thr)
    precision = hit.cumsum(0) / torch.arange(1, len(hit) + 1, dtype=torch.float64)
    best_from_here = precision.flip(0).cummax(0).values.flip(0) if len(hit) else precision
    return (best_from_here[hit].sum() / n_true).item()


def froc(boxes, scores, truth, fp_rates=(0.125, 0.25, 0.5, 1, 2, 4, 8), iou_thr=0.5):
    n_true = sum(len(_boxes(t)) for t in truth)
    if n_true == 0:
        return np.full(len(fp_rates), np.nan), float("nan")
    flat, hit = _hits(boxes, scores, truth, iou_thr)
    found = torch.zeros(len(fp_rates), dtype=torch.float64)
    for threshold in flat.unique():
        called = hit[flat >= threshold]
        alarms, share = (~called).sum() / len(truth), called.double().sum() / n_true
        allowed = torch.tensor([float(alarms) <= rate for rate in fp_rates])
        found = torch.where(allowed, found.clamp(min=share), found)
    return found.numpy(), found.mean().item()
