"""More parameters than were asked for, all with defaults, and checks of what is given."""


# %% q1
def patient_split(patient_id, y, fractions=(0.7, 0.15, 0.15), seed=0, *, rng=None, stratify=True):
    fractions = np.asarray(fractions, dtype=np.float64)
    if len(fractions) != 3 or not np.isclose(fractions.sum(), 1):
        raise ValueError(f"three fractions that sum to 1 are needed, got {fractions}")
    rng = np.random.Generator(np.random.MT19937(seed)) if rng is None else rng
    ids = np.asarray(patient_id)
    patients, first = np.unique(ids, return_index=True)
    label = np.array([np.any(np.asarray(y)[ids == p]) for p in patients]) & bool(stratify)

    # whole patients that each part may take of all and, of those, of the positive ones
    def quotas(n):
        exact = fractions * n
        whole = np.floor(exact).astype(int)
        whole[np.argsort(whole - exact, kind="stable")[: n - whole.sum()]] += 1
        return whole

    everyone_, positive_ = quotas(len(patients)), quotas(int(label.sum()))
    chosen = [[], [], []]
    for members, quota in (
        (np.flatnonzero(label), positive_),
        (np.flatnonzero(~label), everyone_ - positive_),
    ):
        members = rng.permutation(members)
        for part, group in zip(chosen, np.split(members, np.cumsum(quota)[:2])):
            part.extend(group)
    return tuple(np.flatnonzero(np.isin(ids, patients[part])).astype(np.int64) for part in chosen)


# %% q2
def fit_normaliser(X, *, axes=(0, 2, 3), dtype=np.float64):
    X = np.asarray(X, dtype=dtype)
    varies = np.ptp(X, axis=axes) > 0
    return X.mean(axes), np.where(varies, X.std(axes), 1)


def apply(X, stats, *, out=None):
    X = np.asarray(X)
    mean, std = (np.reshape(v, (1, -1, 1, 1)) for v in stats)
    result = (X - mean) / std
    return result.astype(np.float64 if X.dtype == np.float64 else np.float32, copy=False)


def augment(x, mask, rng, *, largest_shift=4, flips=(True, True)):
    """A random crop of the image padded with its edge, then flips."""
    height, width = mask.shape
    top, left = rng.integers(0, 2 * largest_shift + 1, 2)
    orders = [flip and bool(rng.integers(2)) for flip in flips]

    def move(v):
        around = [(0, 0)] * (v.ndim - 2) + [(largest_shift, largest_shift)] * 2
        v = np.pad(v, around, mode="edge")[..., top : top + height, left : left + width]
        v = v[..., ::-1, :] if orders[0] else v
        return v[..., ::-1] if orders[1] else v

    return [move(np.asarray(x)), move(np.asarray(mask))]


# %% q4
class BasicBlock(nn.Module):
    def __init__(self, cin, cout, stride=1, *, bias=False, momentum=0.1):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, kernel_size=3, stride=stride, padding=1, bias=bias)
        self.bn1 = nn.BatchNorm2d(cout, momentum=momentum)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(cout, cout, kernel_size=3, padding=1, bias=bias)
        self.bn2 = nn.BatchNorm2d(cout, momentum=momentum)
        same = stride == 1 and cin == cout
        self.shortcut = nn.Sequential(
            OrderedDict(
                [("0", nn.Conv2d(cin, cout, 1, stride, bias=bias)), ("1", nn.BatchNorm2d(cout))]
            )
        )
        if same:
            self.shortcut = nn.Identity(cin, cout, stride)

    def forward(self, x, scale=1.0):
        branch = nn.Sequential(self.conv1, self.bn1, self.relu, self.conv2, self.bn2)
        return self.relu(torch.add(self.shortcut(x), branch(x), alpha=scale))


class SmallResNet(nn.Module):
    def __init__(self, width=16, n=1, n_classes=2, in_channels=3, *, dropout=0.0):
        super().__init__()
        self.standardise = lab.Standardise(in_channels)
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, stride=(2, 2), padding=(1, 1), bias=False),
            nn.BatchNorm2d(width), nn.ReLU(),
        )  # fmt: skip
        channels = [width, width, 2 * width, 4 * width]
        self.stages = nn.Sequential(
            *[
                nn.Sequential(
                    *[
                        BasicBlock(
                            channels[k + (i > 0)], channels[k + 1], stride=2 if k and not i else 1
                        )
                        for i in range(n)
                    ]
                )
                for k in range(3)
            ]
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels[-1], n_classes)

    def forward(self, x, return_features=False):
        maps = self.stages(self.stem(self.standardise(x)))
        features = nn.functional.avg_pool2d(maps, maps.shape[2:]).flatten(1)
        logits = self.head(self.dropout(features))
        return (logits, features) if return_features else logits


def vgg(cfg, n_classes=2, in_channels=3, *, bias=False):
    class Average(nn.Module):
        def forward(self, x):
            return x.mean(dim=(-2, -1), keepdim=True)

    features, channels = [], in_channels
    for size in cfg:
        match size:
            case "M":
                features.append(nn.MaxPool2d(2))
            case _:
                features.extend(
                    [
                        nn.Conv2d(channels, size, 3, 1, "same", bias=bias),
                        nn.BatchNorm2d(size),
                        nn.ReLU(),
                    ]
                )
                channels = size
    net = nn.Sequential(OrderedDict(features=nn.Sequential(*features), pool=Average()))
    net.flatten, net.head = nn.Flatten(), nn.Linear(channels, n_classes)
    return net


# %% q6
def bootstrap_ci(
    y, s, patient_id, stat, B=1000, alpha=0.05, seed=0, *, redraw=True, quantile=np.quantile
):
    """Resamples without a value are drawn again, so that there are ``B`` of them."""
    y, s, ids = np.asarray(y), np.asarray(s), np.asarray(patient_id)
    members = {p: np.flatnonzero(ids == p) for p in set(ids.tolist())}
    names = sorted(members)
    if len(names) == 1:
        return stat(y, s), float("nan"), float("nan")
    draw = np.random.RandomState(seed)
    values = []
    for _ in range(20 * B):
        rows = np.concatenate(
            [members[names[k]] for k in draw.randint(len(names), size=len(names))]
        )
        value = stat(y[rows], s[rows])
        if not np.isnan(value) or not redraw:
            values.append(value)
        if len(values) == B:
            break
    return (
        stat(y, s),
        *(float(quantile(values, q, method="hazen")) for q in (alpha / 2, 1 - alpha / 2)),
    )


# %% q7
def train_classifier(
    train,
    val,
    seed=0,
    device="cpu",
    max_seconds=60.0,
    *,
    epochs=12,
    lr=2e-3,
    batch=32,
    verbose=False,
):
    begun = time.monotonic()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        X, y = np.asarray(train[0]), np.asarray(train[1]).astype(np.int64)
        model = SmallResNet()
        stats = [np.asarray(v) / 255 for v in fit_normaliser(X)]
        model.standardise.load_state_dict(
            {"mean": torch.tensor(stats[0]), "std": torch.tensor(stats[1])}
        )
        model.to(device).train()
        optimiser = torch.optim.RAdam(model.parameters(), lr=lr, weight_decay=1e-3)
        total = epochs * int(np.ceil(len(X) / batch))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda t: max(0.0, 1 - t / total))
        blank = np.zeros(X.shape[-2:], bool)
        for epoch in range(epochs):
            order = rng.permutation(len(X))
            for at in range(0, len(X), batch):
                if time.monotonic() - begun > max_seconds:
                    return model.eval()
                rows = order[at : at + batch]
                if len(rows) < 2:
                    continue
                moved = np.stack([augment(image, blank, rng)[0] for image in X[rows]])
                loss = nn.CrossEntropyLoss(label_smoothing=0.05)(
                    model(lab.to_unit(moved, device)), torch.from_numpy(y[rows]).to(device)
                )
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
            if verbose:
                print(epoch, float(loss))
    return model.eval()


def predict_proba(model, X, batch=256, *, device=None, flips=True):
    """The mean over an image and its mirror image."""
    device = device or next(model.parameters()).device
    model.eval()
    found = np.empty(len(X), np.float32)
    with torch.no_grad():
        for at in range(0, len(X), batch):
            x = lab.to_unit(X[at : at + batch], device)
            views = [x, x.flip(-1)] if flips else [x]
            p = torch.stack([F.softmax(model(view), -1)[..., 1] for view in views]).mean(0)
            found[at : at + batch] = p.cpu()
    return found


# %% q7
classifier = coursekit.load_or_train(
    "a1_cls.safetensors",
    build=SmallResNet,
    train=lambda: train_classifier((train.X, train.y), (val.X, val.y), device=device, verbose=True),
)
threshold = float(choose_threshold(val.y, predict_proba(classifier, val.X), min_sensitivity=0.9))


# %% q8
def fit_with_early_stopping(
    model, step, evaluate, patience, mode="max", max_epochs=100, *, min_delta=0.0, on_epoch=None
):
    if mode not in ("max", "min"):
        raise ValueError(f"mode must be 'max' or 'min', got {mode!r}")
    import math

    state = lambda: {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}
    best, best_epoch, weights = math.nan, -1, state()
    for epoch in range(max_epochs):
        step(model)
        score = evaluate(model)
        gain = score - best if mode == "max" else best - score
        if not math.isnan(score) and (math.isnan(best) or gain > min_delta):
            best, best_epoch, weights = score, epoch, state()
        if on_epoch is not None:
            on_epoch(epoch, score)
        if epoch - best_epoch >= patience:
            break
    model.load_state_dict(weights, strict=True)
    return OrderedDict(weights)


# %% q9
def adapt_first_conv(w, in_ch, *, keep_scale=True):
    if in_ch == 3:
        return w.clone()
    if in_ch == 1:
        return torch.tensordot(w.detach(), torch.ones(3, dtype=w.dtype), dims=([1], [0])).unsqueeze(
            1
        )
    return torch.hstack(
        [w.detach(), torch.zeros(w.shape[0], in_ch - 3, *w.shape[2:], dtype=w.dtype)]
    )


def prepare_finetune(
    model,
    n_classes,
    freeze=(),
    lr_head=1e-3,
    lr_body=1e-4,
    *,
    norms=(nn.BatchNorm1d, nn.BatchNorm2d),
):
    """Frozen batch norms get a class of their own, in place, whose ``train`` does nothing."""
    tuned = copy.deepcopy(model)
    tuned.head = nn.Linear(model.head.in_features, n_classes)
    nn.init.kaiming_uniform_(tuned.head.weight, nonlinearity="linear")
    if isinstance(freeze, str):
        freeze = (freeze,)

    def frozen(norm):
        kind = type(norm)
        return type(
            f"Frozen{kind.__name__}",
            (kind,),
            {"train": lambda self, mode=True: kind.train(self, False)},
        )

    for name in freeze:
        for module in tuned.get_submodule(name).modules():
            if isinstance(module, norms):
                module.__class__ = frozen(module)
        tuned.get_submodule(name).requires_grad_(False)
    tuned.train(model.training)
    groups = [
        {
            "params": [
                p for n, p in tuned.named_parameters() if p.requires_grad and n.startswith("head.")
            ],
            "lr": float(lr_head),
        },
        {
            "params": [
                p
                for n, p in tuned.named_parameters()
                if p.requires_grad and not n.startswith("head.")
            ],
            "lr": float(lr_body),
        },
    ]
    return [tuned, groups]
