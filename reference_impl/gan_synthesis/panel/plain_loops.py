"""Plain Python: loops over pixels, images and windows."""

# %% q1
import math


def t1_at_field(A, C, B0):
    A, C, B0 = np.broadcast_arrays(A, C, B0)
    values = [float(a) * float(b) ** float(c) for a, c, b in zip(A.flat, C.flat, B0.flat)]
    return np.array(values).reshape(A.shape)


def spin_echo(pd, t1, t2, tr, te):
    maps = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (pd, t1, t2, tr, te)))
    signal = np.zeros(maps[0].shape)
    for place in np.ndindex(signal.shape):
        rho, long, short, repetition, echo = (float(m[place]) for m in maps)
        if not (long > 0 and short > 0):
            raise ValueError("relaxation times must be greater than 0 s")
        signal[place] = rho * (1 - math.exp(-repetition / long)) * math.exp(-echo / short)
    return signal


# %% q3
def thin_counts(counts, p, rng):
    """Each event is kept or dropped by itself."""
    counts = np.asarray(counts)
    kept = np.zeros(counts.size, dtype=np.int64)
    flat = counts.ravel().astype(np.int64)
    for start in range(0, flat.size, 10_000):
        part = flat[start : start + 10_000]
        owner = np.repeat(np.arange(len(part)), part)
        stays = rng.random(len(owner)) < p
        kept[start : start + 10_000] = np.bincount(owner[stays], minlength=len(part))
    return kept.reshape(counts.shape)


def gaussian_psf(img, fwhm_mm, voxel_mm):
    """Row by row and column by column, with the border reflected."""
    img = np.array(img, dtype=np.float64)
    sigma = fwhm_mm / voxel_mm / (2 * math.sqrt(2 * math.log(2)))
    if sigma == 0:
        return img
    reach = int(math.ceil(5 * sigma))
    weights = [math.exp(-(k**2) / (2 * sigma**2)) for k in range(-reach, reach + 1)]
    weights = [w / sum(weights) for w in weights]

    def along_rows(image):
        n = image.shape[1]
        out = np.zeros_like(image)
        for k, w in zip(range(-reach, reach + 1), weights):
            source = [(j + k) % (2 * n) for j in range(n)]
            source = [j if j < n else 2 * n - 1 - j for j in source]
            out += w * image[:, source]
        return out

    return along_rows(along_rows(img).T).T


# %% q4
def _each(one, p, t, mask):
    """``one(image, image, mask)`` for each image of a stack of any depth."""
    p, t = np.asarray(p, dtype=np.float64), np.asarray(t, dtype=np.float64)
    mask = np.ones(p.shape, bool) if mask is None else np.broadcast_to(mask, p.shape)
    answers = np.empty(p.shape[:-2])
    for place in np.ndindex(answers.shape):
        answers[place] = one(p[place], t[place], np.asarray(mask[place], bool))
    return answers


def psnr(p, t, data_range, mask=None):
    def one(a, b, m):
        if not m.any():
            return math.nan
        error = ((a - b)[m] ** 2).mean()
        return math.inf if error == 0 else 10 * math.log10(data_range**2 / error)

    return _each(one, p, t, mask)


def ssim(p, t, data_range, mask=None):
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2

    def one(a, b, m):
        values = []
        for row in range(3, a.shape[0] - 3):
            for column in range(3, a.shape[1] - 3):
                if m[row, column]:
                    x = a[row - 3 : row + 4, column - 3 : column + 4]
                    y = b[row - 3 : row + 4, column - 3 : column + 4]
                    mx, my = x.sum() / 49, y.sum() / 49
                    dx, dy = x - mx, y - my
                    vx, vy, cov = ((dx * dx).sum() / 48, (dy * dy).sum() / 48, (dx * dy).sum() / 48)
                    values.append(
                        (2 * mx * my + c1) * (2 * cov + c2)
                        / ((mx**2 + my**2 + c1) * (vx + vy + c2))
                    )  # fmt: skip
        return sum(values) / len(values) if values else math.nan

    return _each(one, p, t, mask)


def nrmse(p, t, mask=None):
    def one(a, b, m):
        error, size = np.linalg.norm((a - b)[m]), np.linalg.norm(b[m])
        if size == 0:
            return math.inf if error > 0 else math.nan
        return error / size

    return _each(one, p, t, mask)


# %% q5
def d_loss(real_logits, fake_logits, kind):
    if kind == "nonsat":
        return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
    elif kind == "lsgan":
        return ((real_logits - 1) ** 2).mean() / 2 + (fake_logits**2).mean() / 2
    elif kind == "hinge":
        return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()
    elif kind == "wgan":
        return fake_logits.mean() - real_logits.mean()
    raise ValueError(kind)


def g_loss(fake_logits, kind):
    if kind == "nonsat":
        return F.softplus(-fake_logits).mean()
    if kind == "lsgan":
        return ((fake_logits - 1) ** 2).mean() / 2
    if kind == "hinge" or kind == "wgan":
        return -fake_logits.mean()
    raise ValueError(kind)


# %% q5
def _slopes(D, images):
    """The gradient of the score of each image by that image, one by one."""
    found = []
    for image in images:
        x = image[None].clone().detach().requires_grad_()
        (slope,) = torch.autograd.grad(D(x).mean(), x, create_graph=True)
        found.append(slope[0])
    return found


def gradient_penalty(D, real, fake, alpha, lam=10.0):
    total = 0
    for slope in _slopes(D, [a * x + (1 - a) * y for a, x, y in zip(alpha, real, fake)]):
        total = total + ((slope**2).sum().sqrt() - 1) ** 2
    return lam * total / len(real)


def r1(D, real, gamma=10.0, interval=1):
    total = sum((slope**2).sum() for slope in _slopes(D, real))
    return interval * gamma / 2 * total / len(real)


# %% q6
class UNetGenerator(nn.Module):
    def __init__(self, width=8, in_channels=1):
        super().__init__()
        self.down, self.up, self.merge = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        before = in_channels
        for level in range(3):
            self.down.append(lab.ConvBlock(before, width * 2**level))
            before = width * 2**level
        for level in (1, 0):
            self.up.append(nn.ConvTranspose2d(width * 2 ** (level + 1), width * 2**level, 2, 2))
            self.merge.append(lab.ConvBlock(width * 2 ** (level + 1), width * 2**level))
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        fine = self.down[0](x)
        middle = self.down[1](F.max_pool2d(fine, 2))
        coarse = self.down[2](F.max_pool2d(middle, 2))
        back = self.merge[0](torch.cat([self.up[0](coarse), middle], 1))
        back = self.merge[1](torch.cat([self.up[1](back), fine], 1))
        return x[:, :1] + self.head(back)


class PatchDiscriminator(nn.Module):
    def __init__(self, width=16, in_channels=1):
        super().__init__()
        layers = []
        for cin, cout, kernel, stride in (
            (2 * in_channels, width, 4, 2),
            (width, 2 * width, 4, 2),
            (2 * width, 1, 3, 1),
        ):
            layers.append(spectral_norm(nn.Conv2d(cin, cout, kernel, stride, 1)))
            if cout > 1:
                layers.append(nn.LeakyReLU(negative_slope=0.2))
        self.layers = nn.Sequential(*layers)

    def forward(self, source, image):
        return self.layers(torch.concat([source, image], dim=1))


# %% q6
def receptive_field(layers):
    """Walks from the image on, keeping the size and the step of a value in pixels."""
    size, jump = 1, 1
    for layer in layers:
        kernel, stride = layer[0], layer[1]
        dilation = layer[2] if len(layer) == 3 else 1
        size += (kernel - 1) * dilation * jump
        jump *= stride
    return size


def power_iteration(W, n=50):
    matrix = W.detach().reshape(W.shape[0], -1)
    u = torch.linspace(1, 2, matrix.shape[0], dtype=matrix.dtype)
    for _ in range(n):
        v = matrix.T @ u
        v = v / v.norm()
        u = matrix @ v
        sigma = u.norm()
        u = u / sigma
    return sigma


def spectrally_normalised(W, n=50):
    return W / power_iteration(W, n=n).item()


# %% q8
def gaussian_statistics(X):
    X = [[float(v) for v in np.ravel(row)] for row in X]
    n, d = len(X), len(X[0])
    if n <= d:
        raise ValueError(f"{n} samples of {d} features give a singular covariance")
    mean = [math.fsum(row[j] for row in X) / n for j in range(d)]
    covariance = [
        [math.fsum((r[i] - mean[i]) * (r[j] - mean[j]) for r in X) / (n - 1) for j in range(d)]
        for i in range(d)
    ]
    return np.array(mean), np.array(covariance)


def frechet_distance(mu1, S1, mu2, S2):
    def root(S):
        values, axes = np.linalg.eigh(np.asarray(S, dtype=np.float64))
        out = np.zeros_like(axes)
        for value, axis in zip(values, axes.T):
            out += math.sqrt(max(value, 0.0)) * np.outer(axis, axis)
        return out

    R = root(S1)
    between = R @ np.asarray(S2, float) @ R
    cross = sum(math.sqrt(max(v, 0)) for v in np.linalg.eigvalsh((between + between.T) / 2))
    apart = sum((float(a) - float(b)) ** 2 for a, b in zip(mu1, mu2))
    return max(0.0, apart + float(np.trace(S1)) + float(np.trace(S2)) - 2 * cross)


# %% q8
def _distance(a, b):
    return math.dist(np.ravel(a).tolist(), np.ravel(b).tolist())


def _share_inside(points, centres, k):
    radius = [
        sorted(_distance(c, other) for j, other in enumerate(centres) if j != i)[k - 1]
        for i, c in enumerate(centres)
    ]
    inside = 0
    for point in points:
        inside += any(_distance(point, c) <= r for c, r in zip(centres, radius))
    return inside / len(points)


def precision_recall(real, fake, k=3):
    return _share_inside(fake, real, k), _share_inside(real, fake, k)


def mode_collapse_report(fake, real, source, train, k=3):
    pairs = lambda a, b: np.median([_distance(x, y) for x, y in zip(a, b)])
    nearest = lambda a: np.median([min(_distance(x, y) for y in train) for x in a])
    report = {
        "copy_ratio": float(pairs(fake, source) / pairs(real, source)),
        "memory_ratio": float(nearest(fake) / nearest(real)),
    }
    report["precision"], report["recall"] = precision_recall(real, fake, k)
    if report["copy_ratio"] < 0.5:
        report["verdict"] = "copying"
    elif report["memory_ratio"] < 0.5:
        report["verdict"] = "memorising"
    elif report["precision"] < 0.5:
        report["verdict"] = "implausible"
    elif report["recall"] < 0.6:
        report["verdict"] = "collapsed"
    else:
        report["verdict"] = "faithful"
    return report


# %% q9
def lesion_contrast_recovery(pred, target, lesion, ref):
    found = []
    for p, t, inside, outside in zip(pred, target, lesion, ref):
        if not inside.any() or not outside.any():
            found.append(math.nan)
            continue
        there = t[inside].mean() - t[outside].mean()
        shown = p[inside].mean() - p[outside].mean()
        found.append(shown / there if there != 0 else math.nan)
    return np.array(found, dtype=np.float64)


def hallucination_rate(pred, target, mask, delta):
    n = found = 0
    for p, t, m in zip(pred, target, mask):
        has_window = invented = False
        for row in range(m.shape[0] - 2):
            for column in range(m.shape[1] - 2):
                window = slice(row, row + 3), slice(column, column + 3)
                if m[window].all():
                    has_window = True
                    invented = invented or (p[window] - t[window]).mean() > delta
        n += has_window
        found += bool(has_window and invented)
    if n == 0:
        return math.nan, math.nan, math.nan
    z, rate = 1.96, found / n
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return rate, middle - reach, middle + reach


def bias_map(pred, target, mask=None):
    total, count = np.zeros(pred.shape[1:]), np.zeros(pred.shape[1:])
    for i in range(len(pred)):
        counts = np.ones(total.shape, bool) if mask is None else mask[i].astype(bool)
        total[counts] += (pred[i].astype(float) - target[i])[counts]
        count += counts
    out = np.full(total.shape, np.nan)
    out[count > 0] = total[count > 0] / count[count > 0]
    return out


# %% q9
white = (t2_held_out.meta["labels"] == headsim.WHITE) & ~lesions
t2_report = dict.fromkeys(("psnr", "recovery", "hallucinated"))
t2_report["psnr"] = float(
    sum(psnr(a, b, RANGE) for a, b in zip(t2_synthetic, t2_held_out.y)) / len(t2_synthetic)
)
shown = [r for r in lesion_contrast_recovery(t2_synthetic, t2_held_out.y, lesions, white) if r == r]
t2_report["recovery"] = float(sum(shown) / len(shown))
t2_report["hallucinated"], *_ = hallucination_rate(t2_synthetic, t2_held_out.y, white, 0.1)
