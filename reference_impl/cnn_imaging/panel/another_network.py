"""A plain convolutional network with group norm, trained by SGD with momentum and a moving average.

weights: trained
"""


# %% q1
def patient_split(patient_id, y, fractions=(0.7, 0.15, 0.15), seed=0):
    """The best of many shuffles: the one whose parts are most alike in their share of positives."""
    names, rank = np.unique(np.asarray(patient_id), return_inverse=True)
    positive = np.bincount(rank, weights=np.asarray(y, float)) > 0
    edges = np.rint(np.cumsum(fractions)[:2] * len(names)).astype(int)
    best, least = None, np.inf
    for trial in range(400):
        order = np.random.default_rng([int(seed), trial]).permutation(len(names))
        parts = np.split(order, edges)
        unlike = max(
            abs(positive[part].sum() - positive.mean() * len(part)) for part in parts if len(part)
        )
        if unlike < least:
            best, least = parts, unlike
    return tuple(np.flatnonzero(np.isin(rank, part)) for part in best)


# %% q3
def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """Windows gathered by index; groups become one block-diagonal kernel."""
    sy, sx = (stride,) * 2 if isinstance(stride, int) else stride
    py, px = (padding,) * 2 if isinstance(padding, int) else padding
    dy, dx = (dilation,) * 2 if isinstance(dilation, int) else dilation
    kh, kw = w.shape[-2:]
    x = F.pad(x, (px, px, py, py))
    rows = torch.arange(0, x.shape[2] - dy * (kh - 1), sy)[:, None] + dy * torch.arange(kh)
    columns = torch.arange(0, x.shape[3] - dx * (kw - 1), sx)[:, None] + dx * torch.arange(kw)
    windows = x[:, :, rows[:, None, :, None], columns[None, :, None, :]]  # [B, Ci, Ho, Wo, kh, kw]
    full = w
    if groups > 1:
        each = [block.transpose(0, 1) for block in w.chunk(groups)]  # [Ci / G, Co / G, kh, kw]
        blocks = [
            F.pad(block, (0, 0, 0, 0, g * block.shape[1], (groups - 1 - g) * block.shape[1]))
            for g, block in enumerate(each)
        ]
        full = torch.cat(blocks).transpose(0, 1)
    out = torch.tensordot(windows, full, dims=([1, 4, 5], [1, 2, 3])).movedim(-1, 1)
    if b is not None:
        out = out + b.unflatten(0, (-1, 1, 1))
    return out


# %% q7
class PlainNet(nn.Module):
    """Four convolutions, the last two at half the resolution of those before."""

    def __init__(self, width=24):
        super().__init__()
        self.register_buffer("centre", torch.zeros(3, 1, 1))
        self.register_buffer("spread", torch.ones(3, 1, 1))
        layers, before = [], 3
        for channels, stride in ((width, 2), (width, 1), (2 * width, 2), (2 * width, 1)):
            layers += [
                nn.Conv2d(before, channels, 3, stride, 1),
                nn.GroupNorm(4, channels),
                nn.SiLU(),
            ]
            before = channels
        self.body = nn.Sequential(*layers)
        self.read = nn.Linear(2 * before, 2)

    def forward(self, x):
        features = self.body((x - self.centre) / self.spread)
        return self.read(torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1))


# %% q7
def train_classifier(train, val, seed=0, device="cpu", max_seconds=60.0, epochs=14, batch=16):
    end = time.monotonic() + max_seconds
    torch.manual_seed(seed)
    images, labels = lab.to_unit(train[0], device), torch.as_tensor(train[1], device=device).long()
    model = PlainNet().to(device)
    model.centre.copy_(images.mean((0, 2, 3))[:, None, None])
    model.spread.copy_(images.std((0, 2, 3))[:, None, None])
    average = copy.deepcopy(model).requires_grad_(False)
    optimiser = torch.optim.SGD(
        model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3
    )
    steps = epochs * -(-len(images) // batch)
    step = 0
    while step < steps and time.monotonic() < end:
        for rows in torch.randperm(len(images)).split(batch):
            for group in optimiser.param_groups:
                group["lr"] = (
                    0.05 * min(1, (step + 1) / 50) * (1 + np.cos(np.pi * step / steps)) / 2
                )
            x = images[rows]
            x = x.flip(-1) if torch.rand(()) < 0.5 else x
            x = x.transpose(-1, -2) if torch.rand(()) < 0.5 else x
            x = x.flip(-2) if torch.rand(()) < 0.5 else x
            loss = F.cross_entropy(model(x), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            step += 1
            with torch.no_grad():
                keep = min(0.99, step / (step + 10))
                for mean, now in zip(average.parameters(), model.parameters()):
                    mean.lerp_(now, 1 - keep)
            if time.monotonic() >= end:
                break
    return average.eval()


def predict_proba(model, X, batch=256):
    model.eval()
    chunks = torch.utils.data.DataLoader(lab.to_unit(X), batch_size=batch)
    where = next(model.parameters()).device
    with torch.inference_mode():
        found = [model(chunk.to(where)).log_softmax(1).exp()[:, 1].cpu() for chunk in chunks]
    return torch.cat(found).numpy().astype(np.float32)


# %% q7
classifier = coursekit.load_or_train(
    "a1_cls.safetensors",
    build=PlainNet,
    train=lambda: train_classifier((train.X, train.y), (val.X, val.y), seed=0, device=device),
)

# %% q7
s_malignant = np.sort(predict_proba(classifier, val.X)[val.y == 1])
threshold = s_malignant[int(np.floor(0.1 * len(s_malignant) + 1e-9))]
