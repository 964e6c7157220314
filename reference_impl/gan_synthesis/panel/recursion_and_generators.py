"""Recursion and generators where the solution has loops and arrays."""


# %% q2
def _fourier(x):
    """The transform along the last axis, by halves where that goes (Cooley and Tukey)."""
    n = x.shape[-1]
    if n % 2 or n == 1:
        k = np.arange(n)
        return x @ np.exp(-2j * np.pi * np.outer(k, k) / n)
    even, odd = _fourier(x[..., ::2]), _fourier(x[..., 1::2])
    odd = odd * np.exp(-2j * np.pi * np.arange(n // 2) / n)
    return np.concatenate([even + odd, even - odd], axis=-1)


def kspace_truncate(img, frac):
    x = np.asarray(img, dtype=float)

    def along_last(x):
        n = x.shape[-1]
        k = _fourier(x) * (np.abs(np.fft.fftfreq(n)) <= frac / 2)
        return np.conj(_fourier(np.conj(k))) / n

    once = along_last(x)
    return along_last(once.swapaxes(-1, -2)).swapaxes(-1, -2).real.copy()


def rician(img, sigma, rng):
    img = np.asarray(img, dtype=float)
    draws = (
        img + rng.normal(0, sigma, img.shape) if part == 0 else rng.normal(0, sigma, img.shape)
        for part in range(2)
    )
    return sum(np.square(draw) for draw in draws) ** 0.5


def to_low_field(pd, A, C, t2, rng, *, B0=0.064, tr=0.5, te=0.012, frac=0.5, sigma=0.03):
    return rician(
        kspace_truncate(spin_echo(pd, t1_at_field(A, C, B0), t2, tr, te), frac), sigma, rng
    )


# %% q3
def thin_counts(counts, p, rng):
    """Which events are kept: as many as a binomial says, then shared out by a hypergeometric law."""
    counts = np.asarray(counts)

    def shared(parts, kept):
        if len(parts) == 1:
            return [kept]
        half = len(parts) // 2
        left, right = int(parts[:half].sum()), int(parts[half:].sum())
        to_left = int(rng.hypergeometric(left, right, kept)) if left + right else 0
        return shared(parts[:half], to_left) + shared(parts[half:], kept - to_left)

    flat = counts.ravel().astype(np.int64)
    kept = int(rng.binomial(int(flat.sum()), p))
    return np.array(shared(flat, kept) if flat.size else [], dtype=np.int64).reshape(counts.shape)


def gaussian_psf(img, fwhm_mm, voxel_mm):
    """Blurs by parts: twice a Gaussian of half the variance, down to one that is short."""
    sigma = fwhm_mm / voxel_mm / (2 * (2 * np.log(2)) ** 0.5)
    if sigma == 0:
        return np.array(img, dtype=float)
    if sigma > 2:
        half = fwhm_mm / 2**0.5
        return gaussian_psf(gaussian_psf(img, half, voxel_mm), half, voxel_mm)
    reach = int(np.ceil(6 * sigma))
    weights = np.exp(-((np.arange(-reach, reach + 1) / sigma) ** 2) / 2)
    weights /= weights.sum()
    padded = np.pad(np.asarray(img, dtype=float), reach, mode="symmetric")
    for axis in (0, 1):
        padded = np.apply_along_axis(np.convolve, axis, padded, weights, mode="valid")
    return padded


# %% q5
def d_loss(real_logits, fake_logits, kind):
    def terms():
        if kind == "nonsat":
            yield -F.logsigmoid(real_logits)
            yield fake_logits - F.logsigmoid(fake_logits)
        elif kind == "lsgan":
            yield torch.square(real_logits - 1) / 2
            yield torch.square(fake_logits) / 2
        elif kind == "hinge":
            yield torch.maximum(1 - real_logits, torch.zeros_like(real_logits))
            yield torch.maximum(1 + fake_logits, torch.zeros_like(fake_logits))
        elif kind == "wgan":
            yield -real_logits
            yield fake_logits
        else:
            raise ValueError(f"there is no kind {kind!r}")

    return sum(term.mean() for term in terms())


def g_loss(fake_logits, kind):
    if kind in ("hinge", "wgan"):
        return d_loss(fake_logits, torch.zeros_like(fake_logits), "wgan")
    # what the critic pays for real images, with the labels turned
    nothing = (
        torch.full_like(fake_logits[..., :0].sum(), -1e4) if kind == "nonsat" else torch.zeros(())
    )
    return d_loss(fake_logits, nothing.to(fake_logits), kind)


# %% q5
def _scores(D, x):
    logits = D(x)
    while logits.dim() > 1:
        logits = logits.mean(-1)
    return logits


def _gradients(D, x):
    x = x.detach().requires_grad_()
    for b, score in enumerate(_scores(D, x)):
        yield torch.autograd.grad(score, x, create_graph=True)[0][b]


def gradient_penalty(D, real, fake, alpha, lam=10.0):
    norms = torch.stack([g.norm() for g in _gradients(D, alpha * real + (1 - alpha) * fake)])
    return lam * (norms**2 - 2 * norms + 1).mean()


def r1(D, real, gamma=10.0, interval=1):
    return gamma / 2 * interval * torch.stack([(g * g).sum() for g in _gradients(D, real)]).mean()


# %% q6
class UNetGenerator(nn.Module):
    def __init__(self, width=8, in_channels=1):
        super().__init__()
        w = [in_channels, *(width << level for level in range(3))]
        self.down = nn.ModuleList(lab.ConvBlock(*w[level : level + 2]) for level in range(3))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(w[level + 1], w[level], 2, 2) for level in (2, 1)
        )
        self.merge = nn.ModuleList(lab.ConvBlock(w[level + 1], w[level]) for level in (2, 1))
        self.head = nn.Conv2d(width, 1, 1)

    def levels(self, x):
        for block in self.down:
            x = block(x)
            yield x
            x = F.max_pool2d(x, 2)

    def forward(self, x):
        fine, middle, y = self.levels(x)
        for up, merge, skip in zip(self.up, self.merge, (middle, fine)):
            y = merge(torch.cat((up(y), skip), 1))
        return x.select(1, 0)[:, None] + self.head(y)


class PatchDiscriminator(nn.Module):
    def __init__(self, width=16, in_channels=1):
        super().__init__()

        def layers():
            for cin, cout in ((2 * in_channels, width), (width, 2 * width)):
                yield spectral_norm(nn.Conv2d(cin, cout, (4, 4), stride=(2, 2), padding=(1, 1)))
                yield nn.LeakyReLU(0.2)
            yield spectral_norm(nn.Conv2d(2 * width, 1, (3, 3), padding="same"))

        self.layers = nn.Sequential(*layers())

    def forward(self, source, image):
        return self.layers(torch.cat([source, image], 1))


def receptive_field(layers):
    if not layers:
        return 1
    (kernel, stride, *more), *rest = layers
    dilation = more[0] if more else 1
    return (receptive_field(rest) - 1) * stride + (kernel - 1) * dilation + 1


def power_iteration(W, n=50):
    M = W.flatten(1)

    def step(u, left):
        v = F.normalize(M.T @ u, dim=0)
        return (
            torch.dot(M @ v, F.normalize(M @ v, dim=0))
            if left == 1
            else step(F.normalize(M @ v, dim=0), left - 1)
        )

    return step(F.normalize(torch.arange(1.0, len(M) + 1).to(M), dim=0), n)


def spectrally_normalised(W, n=50):
    return torch.true_divide(W, power_iteration(W, n))


# %% q8
def gaussian_statistics(X):
    """Sample by sample (Welford)."""
    X = np.asarray(X, dtype=float)
    if len(X) <= X.shape[1]:
        raise ValueError("too few samples")
    mean, moment = np.zeros(X.shape[1]), np.zeros((X.shape[1],) * 2)
    for n, x in enumerate(X, 1):
        before = x - mean
        mean = mean + before / n
        moment += np.outer(before, x - mean)
    return mean, moment / (len(X) - 1)


def frechet_distance(mu1, S1, mu2, S2):
    def root(S):
        values, axes = np.linalg.eigh((S + S.T) / 2)
        return axes @ np.diag([max(v, 0) ** 0.5 for v in values]) @ axes.T

    S1, S2 = np.array(S1, dtype=float), np.array(S2, dtype=float)
    cross = np.trace(root(root(S1) @ S2 @ root(S1)))
    return float(
        max(
            0,
            sum((a - b) ** 2 for a, b in zip(mu1, mu2))
            + np.trace(S1 + S2 - 2 * cross / len(S1) * np.eye(len(S1))),
        )
    )


def precision_recall(real, fake, k=3):
    real, fake = ([np.ravel(v) for v in samples] for samples in (real, fake))

    def inside(points, centres):
        balls = [(c, sorted(np.linalg.norm(c - o) for o in centres)[k]) for c in centres]
        return sum(any(np.linalg.norm(p - c) <= r for c, r in balls) for p in points) / len(points)

    return inside(fake, real), inside(real, fake)


def mode_collapse_report(fake, real, source, train, k=3):
    norm = lambda a, b: float(np.linalg.norm(np.ravel(a) - np.ravel(b)))
    median = lambda values: float(np.median(list(values)))
    copy = [median(map(norm, v, source)) for v in (fake, real)]
    memory = [median(min(norm(one, t) for t in train) for one in v) for v in (fake, real)]
    precision, recall = precision_recall(real, fake, k)
    report = dict(
        copy_ratio=copy[0] / copy[1],
        memory_ratio=memory[0] / memory[1],
        precision=precision,
        recall=recall,
    )

    def verdicts():
        yield from ("copying",) * (report["copy_ratio"] < 0.5)
        yield from ("memorising",) * (report["memory_ratio"] < 0.5)
        yield from ("implausible",) * (precision < 0.5)
        yield from ("collapsed",) * (recall < 0.6)
        yield "faithful"

    return {**report, "verdict": next(verdicts())}
