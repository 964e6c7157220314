"""A VGG as classifier and a wider U-Net, both trained here.

weights: trained
"""


# %% q7
class Screener(nn.Module):
    """The VGG of question 4 behind the statistics of its training images."""

    def __init__(self):
        super().__init__()
        self.standardise = lab.Standardise(3)
        self.network = vgg((24, "M", 48, "M", 48, 96, "M"))

    def forward(self, x):
        return self.network(self.standardise(x))


def train_classifier(train, val, seed=0, device="cpu", max_seconds=60.0):
    """Stops at the last epoch, in turns the images of each class: every batch is balanced."""
    deadline = time.monotonic() + max_seconds
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    X, y = lab.to_unit(train[0]), np.asarray(train[1])
    model = Screener()
    model.standardise.mean.copy_(X.mean((0, 2, 3)))
    model.standardise.std.copy_(X.std((0, 2, 3)))
    model.to(device)
    by_class = [np.flatnonzero(y == label) for label in (0, 1)]
    steps = 10 * -(-len(y) // 32)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    model.train()
    for _ in range(steps):
        rows = np.concatenate([rng.choice(of_class, 16) for of_class in by_class])
        x = X[rows].rot90(int(rng.integers(4)), (2, 3)).to(device)
        x = x.flip(3) if rng.integers(2) else x
        loss = F.cross_entropy(model(x), torch.tensor([0] * 16 + [1] * 16, device=device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if time.monotonic() > deadline:
            break
    return model.eval()


def predict_proba(model, X, batch=256):
    model.eval()
    with torch.inference_mode():
        return np.concatenate(
            [
                model(lab.to_unit(X[i : i + batch], next(model.parameters()).device))
                .softmax(1)
                .cpu()
                .numpy()[:, 1]
                for i in range(0, len(X), batch)
            ]
        )


# %% q7
classifier = coursekit.load_or_train(
    "a1_cls.safetensors",
    build=Screener,
    train=lambda: train_classifier((train.X, train.y), (val.X, val.y), seed=0, device=device),
)
threshold = choose_threshold(val.y, predict_proba(classifier, val.X), 0.90)


# %% q8
def fit_with_early_stopping(model, step, evaluate, patience, mode="max", max_epochs=100):
    """All scores are known first; the best weights are those of the best index."""
    kept, scores, quiet = [copy.deepcopy(model.state_dict())], [], 0
    better = np.greater if mode == "max" else np.less
    for _ in range(max_epochs):
        step(model)
        scores.append(evaluate(model))
        before = [v for v in scores[:-1] if not np.isnan(v)]
        record = (max if mode == "max" else min)(before) if before else None
        if not np.isnan(scores[-1]) and (record is None or better(scores[-1], record)):
            kept.append(copy.deepcopy(model.state_dict()))
            quiet = 0
        else:
            quiet += 1
        if quiet == patience:
            break
    model.load_state_dict(kept[-1])
    return kept[-1]


# %% q10
def dice(p, m):
    p, m = np.asarray(p) > 0, np.asarray(m) > 0
    size = np.count_nonzero(p, axis=(1, 2)) + np.count_nonzero(m, axis=(1, 2))
    both = np.count_nonzero(p & m, axis=(1, 2))
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(2.0 * both / size, nan=1.0)


def iou(p, m):
    d = dice(p, m)
    return d / (2 - d)


def soft_dice_loss(logits, m, eps=1e-6):
    q = torch.sigmoid(logits)
    return torch.stack(
        [1 - (2 * (a * b).sum() + eps) / (a.sum() + b.sum() + eps) for a, b in zip(q, m)]
    ).mean()


# %% q10
class UNet(nn.Module):
    def __init__(self, width=12, in_channels=3):
        super().__init__()
        self.standardise = lab.Standardise(in_channels)
        self.down = nn.ModuleList(
            [
                lab.DoubleConv(in_channels, width),
                lab.DoubleConv(width, width * 2),
                lab.DoubleConv(width * 2, width * 4),
            ]
        )
        self.up = nn.ModuleList(
            [
                nn.ConvTranspose2d(width * 4, width * 2, 2, 2),
                nn.ConvTranspose2d(width * 2, width, 2, 2),
            ]
        )
        self.merge = nn.ModuleList(
            [lab.DoubleConv(width * 4, width * 2), lab.DoubleConv(width * 2, width)]
        )
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        first = self.down[0](self.standardise(x))
        second = self.down[1](F.max_pool2d(first, 2))
        third = self.down[2](F.max_pool2d(second, 2))
        second = self.merge[0](torch.cat([self.up[0](third), second], 1))
        return self.head(self.merge[1](torch.cat([self.up[1](second), first], 1)))


# %% q10
torch.manual_seed(7)
segmenter = coursekit.load_or_train(
    "a1_seg.safetensors",
    build=lambda: UNet(width=16),
    train=lambda: lab.train_segmenter(UNet(width=16), soft_dice_loss, train, seed=7, device=device),
)
