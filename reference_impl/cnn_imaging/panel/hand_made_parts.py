"""Own parts: a convolution with its own backward pass, Adam by hand, modules frozen by a class."""


# %% q2
def fit_normaliser(X):
    """Each level of gray is counted once, if there are few of them."""
    X = np.asarray(X)
    mean, std = np.empty(3), np.empty(3)
    for c in range(3):
        levels, times = np.unique(X[:, c], return_counts=True)
        levels, share = levels.astype(np.float64), times / times.sum()
        mean[c] = share @ levels
        std[c] = np.sqrt(share @ (levels - mean[c]) ** 2) if len(levels) > 1 else 1.0
    return mean, std


def apply(X, stats):
    """In single precision, unless the images come in double precision."""
    X = np.asarray(X)
    dtype = X.dtype if X.dtype == np.float64 else np.float32
    mean, std = (np.asarray(v).astype(dtype).reshape(3, 1, 1) for v in stats)
    return np.true_divide(np.subtract(X, mean, dtype=dtype), std, dtype=dtype)


def augment(x, mask, rng):
    """Where each new pixel comes from is computed once, for image and mask alike."""
    height, width = mask.shape
    source = np.arange(height * width).reshape(height, width)
    for axis in range(2):
        source = np.take(source, range(mask.shape[axis])[:: rng.choice([1, -1])], axis=axis)
    return x.reshape(3, -1)[:, source.ravel()].reshape(x.shape), mask.ravel()[source]


# %% q3
class _Convolution(torch.autograd.Function):
    """Forward by ``unfold``, backward by ``fold``."""

    @staticmethod
    def forward(ctx, x, w, stride, padding, dilation):
        ctx.geometry = dict(
            kernel_size=w.shape[2:], stride=stride, padding=padding, dilation=dilation
        )
        windows = F.unfold(x, **ctx.geometry)
        ctx.save_for_backward(windows, w)
        ctx.size = x.shape[2:]
        return w.flatten(1) @ windows

    @staticmethod
    def backward(ctx, grad):
        windows, w = ctx.saved_tensors
        by_w = torch.einsum("bop,bkp->ok", grad, windows).reshape(w.shape)
        by_x = F.fold(w.flatten(1).T @ grad, ctx.size, **ctx.geometry)
        return by_x, by_w, None, None, None


def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    stride, padding, dilation = (
        tuple(v) if isinstance(v, (list, tuple)) else (int(v), int(v))
        for v in (stride, padding, dilation)
    )
    columns = x.shape[3] + 2 * padding[1] - dilation[1] * (w.shape[3] - 1) - 1
    columns = columns // stride[1] + 1
    parts = zip(x.chunk(groups, 1), w.chunk(groups, 0))
    out = torch.cat([_Convolution.apply(v, k, stride, padding, dilation) for v, k in parts], 1)
    out = out.reshape(out.shape[0], out.shape[1], -1, columns)
    return out + (0 if b is None else b.reshape(1, -1, 1, 1))


# %% q7
def train_classifier(train, val, seed=0, device="cpu", max_seconds=60.0):
    """Adam written out, on the log-odds of malignancy; keeps the weights of the best epoch."""
    stop = time.time() + max_seconds
    torch.manual_seed(seed)
    X, y = (
        lab.to_unit(train[0], device),
        torch.as_tensor(np.asarray(train[1]), device=device).float(),
    )
    model = SmallResNet().to(device)
    model.standardise.mean.data = X.mean((0, 2, 3))
    model.standardise.std.data = X.std((0, 2, 3))
    parameters = list(model.parameters())
    first, second = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    total, t = 12 * -(-len(X) // 32), 0
    generator = torch.Generator().manual_seed(seed)
    for _ in range(12):
        model.train()
        for rows in torch.randperm(len(X), generator=generator).split(32):
            if len(rows) < 2 or time.time() > stop:
                continue
            turns, flip = torch.randint(4, (2,), generator=generator).tolist()
            x = torch.rot90(X[rows], turns, (-2, -1))
            x = x.flip(-1) if flip % 2 else x
            z = model(x)
            loss = F.binary_cross_entropy_with_logits(z[:, 1] - z[:, 0], y[rows])
            t += 1
            rate = 2e-3 * min(t / (0.1 * total), 1 - t / (total + 1))
            with torch.no_grad():
                for p, m, v, g in zip(
                    parameters, first, second, torch.autograd.grad(loss, parameters)
                ):
                    m += 0.1 * (g - m)
                    v += 0.001 * (g * g - v)
                    p -= rate * (m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8) + 0.05 * p)
    return model.eval()


def predict_proba(model, X, batch=256):
    """Image by image; softmax in double precision, by hand."""
    model.train(False)
    where = next(iter(model.state_dict().values())).device
    answers = np.zeros(len(X), dtype=np.float32)
    for row in range(len(X)):
        with torch.no_grad():
            z = model(lab.to_unit(X[row : row + 1], where))[0].double().cpu().numpy()
        odds = np.exp(z - z.max())
        answers[row] = odds[1] / odds.sum()
    return answers


classifier = coursekit.load_or_train(
    "a1_cls.safetensors",
    build=lambda: SmallResNet(width=16, n=1),
    train=lambda: train_classifier((train.X, train.y), (val.X, val.y), device=device),
)
s = predict_proba(classifier, val.X)
for threshold in np.unique(s)[::-1]:
    if (s[val.y == 1] >= threshold).mean() >= 0.9:
        break

# %% q8
import tempfile
from pathlib import Path

from safetensors.torch import save_model


def fit_with_early_stopping(model, step, evaluate, patience, mode="max", max_epochs=100):
    """The best weights wait in a file."""
    scores = []
    with tempfile.TemporaryDirectory() as folder:
        best = Path(folder) / "best.safetensors"
        save_model(model, str(best))
        while len(scores) < max_epochs:
            step(model)
            scores.append(float(evaluate(model)) * (1 if mode == "max" else -1))
            numbers = [-np.inf if np.isnan(v) else v for v in scores]
            champion = int(np.argmax(numbers))  # the first of equals
            if champion == len(scores) - 1 and not np.isnan(scores[-1]):
                save_model(model, str(best))
            waited = len(scores) - (champion + 1 if max(numbers) > -np.inf else 0)
            if waited >= patience:
                break
        weights = load_file(best)
    model.load_state_dict(weights)
    return weights


# %% q9
def adapt_first_conv(w, in_ch):
    new = torch.zeros((len(w), in_ch, *w.shape[2:]), dtype=w.dtype)
    for channel in range(3):
        new[:, min(channel, in_ch - 1)] += w.data[:, channel]
    return new


# %% q9
class Still(nn.Module):
    """What a frozen batch norm does, under the same names."""

    def __init__(self, norm):
        super().__init__()
        for name, value in norm.state_dict().items():
            self.register_buffer(name, value.clone())
        self.eps = norm.eps

    def forward(self, x):
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


def prepare_finetune(model, n_classes, freeze=(), lr_head=1e-3, lr_body=1e-4):
    tuned = copy.deepcopy(model)
    names = [n for n, m in tuned.named_modules() if isinstance(m, nn.BatchNorm2d)]
    for name in names:
        if any(name == part or name.startswith(part + ".") for part in freeze):
            tuned.set_submodule(name, Still(tuned.get_submodule(name)))
    for name, parameter in tuned.named_parameters():
        parameter.requires_grad = not name.startswith(tuple(f"{part}." for part in freeze) or "\0")
    bound = tuned.head.in_features**-0.5
    tuned.head = nn.Linear(tuned.head.in_features, n_classes)
    nn.init.uniform_(tuned.head.weight, -bound, bound)
    by_rate = {lr_head: list(tuned.head.parameters())}
    for name, parameter in tuned.named_parameters():
        if parameter.requires_grad and not name.startswith("head."):
            by_rate.setdefault(lr_body, []).append(parameter)
    return tuned, [{"params": parameters, "lr": rate} for rate, parameters in by_rate.items()]


# %% q10
def dice(p, m):
    """Sets of pixels."""
    pixels = lambda mask: set(map(tuple, np.argwhere(mask)))
    found = []
    for one, other in zip(map(pixels, p), map(pixels, m)):
        found.append(2 * len(one & other) / (len(one) + len(other)) if one | other else 1.0)
    return np.array(found)


def iou(p, m):
    eps = 1e-9
    p, m = np.asarray(p, np.float32), np.asarray(m, np.float32)
    both = np.minimum(p, m).sum((1, 2), dtype=np.float64)
    return (both + eps) / (np.maximum(p, m).sum((1, 2), dtype=np.float64) + eps)


def soft_dice_loss(logits, m, eps=1e-6):
    """In double precision, as a product with a column of ones."""
    q, m = (v.double().reshape(len(v), 1, -1) for v in (torch.sigmoid(logits), m))
    ones = torch.ones(q.shape[-1], 1, dtype=q.dtype)
    above = 2 * torch.bmm(q, m.transpose(1, 2)).squeeze() + eps
    below = ((q + m) @ ones).squeeze() + eps
    return (1 - above / below).mean().to(logits.dtype)


# %% q10
class UNet(nn.Module):
    def __init__(self, width=12, in_channels=3):
        super().__init__()
        self.standardise = lab.Standardise(in_channels)
        sizes = [width * factor for factor in (1, 2, 4)]
        self.down = nn.ModuleList(map(lab.DoubleConv, [in_channels, *sizes], sizes))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in zip(sizes, sizes[1:]))[
            ::-1
        ]
        self.merge = nn.ModuleList(lab.DoubleConv(2 * a, a) for a in sizes[:2])[::-1]
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        way = []
        x = self.standardise(x)
        for block in self.down:
            x = block(x)
            way.append(x)
            x = x.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2))
        x = way.pop()
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([up(x), way.pop()], dim=1))
        return self.head(x)


# %% q10
segmenter = coursekit.load_or_train(
    "a1_seg.safetensors", UNet, lambda: lab.train_segmenter(UNet(), soft_dice_loss, train)
)
