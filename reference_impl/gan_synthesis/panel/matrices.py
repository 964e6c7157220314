"""Products of matrices: the Fourier transform, the blur and the windows as matrices."""


# %% q2
def _projector(n, frac):
    """What keeping the slow waves does to a column of n pixels, as a real matrix."""
    x = np.arange(n)
    basis = []
    for k in range(n // 2 + 1):
        if k / n <= frac / 2:
            for wave in (np.cos(2 * np.pi * k * x / n), np.sin(2 * np.pi * k * x / n)):
                size = wave @ wave
                if size > 1e-9:
                    basis.append(wave / np.sqrt(size))
    basis = np.stack(basis)
    return basis.T @ basis


def kspace_truncate(img, frac):
    img = np.asarray(img, dtype=np.float64)
    height, width = img.shape[-2:]
    return _projector(height, frac) @ img @ _projector(width, frac)


def rician(img, sigma, rng):
    """The length of a vector of two parts, by QR-free arithmetic."""
    img = np.asarray(img, dtype=np.float64)
    parts = np.stack([img, np.zeros_like(img)]) + rng.multivariate_normal(
        np.zeros(2), sigma**2 * np.eye(2), size=img.shape, method="cholesky" if sigma else "svd"
    ).transpose(-1, *range(img.ndim))
    return np.linalg.norm(parts, axis=0)


def to_low_field(pd, A, C, t2, rng, *, B0=0.064, tr=0.5, te=0.012, frac=0.5, sigma=0.03):
    signal = spin_echo(pd, t1_at_field(A, C, B0), t2, tr, te)
    return rician(kspace_truncate(signal, frac), sigma, rng)


# %% q3
def thin_counts(counts, p, rng):
    counts = np.asarray(counts, dtype=np.int64)
    return rng.multinomial(counts.ravel(), [p, 1 - p])[:, 0].reshape(counts.shape)


def _blur(n, sigma):
    reach = int(np.ceil(6 * sigma))
    offset = np.arange(-reach, reach + 1)
    weight = np.exp(-(offset**2) / (2 * sigma**2))
    weight /= weight.sum()
    place = (np.arange(n)[:, None] + offset) % (2 * n)
    place = np.minimum(place, 2 * n - 1 - place)
    matrix = np.zeros((n, n))
    np.add.at(matrix, (np.arange(n)[:, None], place), weight)
    return matrix


def gaussian_psf(img, fwhm_mm, voxel_mm):
    img = np.asarray(img, dtype=np.float64)
    sigma = fwhm_mm / (2.0 * np.sqrt(2.0 * np.log(2.0)) * voxel_mm)
    if sigma == 0:
        return img.copy()
    rows, columns = (_blur(n, sigma) for n in img.shape)
    return rows @ img @ columns.T


# %% q4
def _windows(n):
    """[n - 6, n]: the mean of seven neighbours."""
    return np.array([[1 / 7 if 0 <= j - i < 7 else 0.0 for j in range(n)] for i in range(n - 6)])


def _weights(mask, shape):
    mask = np.ones(shape) if mask is None else np.broadcast_to(np.asarray(mask, float), shape)
    return mask.reshape(*shape[:-2], -1)


def _average(values, mask):
    w, v = _weights(mask, values.shape), values.reshape(*values.shape[:-2], -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.einsum("...i,...i->...", w, v) / np.einsum("...i->...", w)


def psnr(p, t, data_range, mask=None):
    error = np.asarray(p, np.float64) - np.asarray(t, np.float64)
    with np.errstate(divide="ignore"):
        return 10 * np.log10(data_range**2 / _average(error * error, mask))


def ssim(p, t, data_range, mask=None):
    p, t = np.asarray(p, np.float64), np.asarray(t, np.float64)
    left, right = _windows(p.shape[-2]), _windows(p.shape[-1]).T
    mean = lambda v: left @ v @ right
    mp, mt = mean(p), mean(t)
    spread = lambda a, b, ma, mb: (mean(a * b) - ma * mb) / (1 - 1 / 49)
    c1, c2 = (data_range / 100) ** 2, (3 * data_range / 100) ** 2
    above = (2 * mp * mt + c1) * (2 * spread(p, t, mp, mt) + c2)
    below = (mp**2 + mt**2 + c1) * (spread(p, p, mp, mp) + spread(t, t, mt, mt) + c2)
    centre = (
        None
        if mask is None
        else np.asarray(mask)[..., 3 : 3 + above.shape[-2], 3 : 3 + above.shape[-1]]
    )
    return _average(above / below, centre)


def nrmse(p, t, mask=None):
    p, t = np.asarray(p, np.float64), np.asarray(t, np.float64)
    w = _weights(mask, p.shape)
    power = lambda v: np.einsum("...i,...i,...i->...", w, v.reshape(w.shape), v.reshape(w.shape))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(power(p - t) / power(t))


# %% q6
class UNetGenerator(nn.Module):
    """The skip connections as one list that is walked down and up."""

    def __init__(self, width=8, in_channels=1):
        super().__init__()
        c = [in_channels, width, 2 * width, 4 * width]
        self.down = nn.ModuleList(map(lab.ConvBlock, c[:-1], c[1:]))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, (2, 2), (2, 2)) for a, b in zip(c[:1:-1], c[2:0:-1])
        )
        self.merge = nn.ModuleList(lab.ConvBlock(2 * b, b) for b in c[2:0:-1])
        self.head = nn.Conv2d(width, 1, (1, 1))

    def forward(self, x):
        return x.narrow(1, 0, 1) + self.head(self.inside(x, 0))

    def inside(self, x, level):
        here = self.down[level](x)
        if level == len(self.down) - 1:
            return here
        below = self.inside(nn.functional.max_pool2d(here, kernel_size=2), level + 1)
        place = len(self.up) - 1 - level
        return self.merge[place](torch.cat((self.up[place](below), here), dim=1))


class PatchDiscriminator(nn.Module):
    def __init__(self, width=16, in_channels=1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2 * in_channels, width, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, 1, 1),
        )  # fmt: skip
        for layer in self.layers[::2]:
            spectral_norm(layer)

    def forward(self, source, image):
        return self.layers(torch.hstack((source, image)))


def receptive_field(layers):
    """As a product of matrices that act on (pixels, step, 1)."""
    state = np.array([1, 1])
    for kernel, stride, *dilation in layers:
        grow = np.array([[1, (kernel - 1) * (dilation[0] if dilation else 1)], [0, 1]])
        state = np.diag([1, stride]) @ grow @ state
    return int(state[0])


def power_iteration(W, n=50):
    M = W.flatten(start_dim=1).detach()
    v = (
        torch.ones(M.shape[1], 1, dtype=M.dtype)
        + torch.arange(M.shape[1], dtype=M.dtype)[:, None] / 7
    )
    for _ in range(n):
        u = M @ v
        u = u / torch.linalg.norm(u)
        v = M.mT @ u
        v = v / torch.linalg.norm(v)
    return (u.mT @ M @ v).squeeze()


def spectrally_normalised(W, n=50):
    return W * (1 / power_iteration(W, n=n))


# %% q8
def gaussian_statistics(X):
    X = np.asarray(X, dtype=np.float64)
    n, d = X.shape
    if n <= d:
        raise ValueError("N must be greater than d")
    centre = np.eye(n) - np.full((n, n), 1 / n)
    return np.full(n, 1 / n) @ X, X.T @ centre @ X / (n - 1)


def frechet_distance(mu1, S1, mu2, S2):
    from scipy.linalg import svdvals

    def factor(S):
        U, s, _ = np.linalg.svd(np.asarray(S, dtype=np.float64), hermitian=True)
        return U * np.sqrt(s)

    A, B = factor(S1), factor(S2)
    gap = np.asarray(mu1, float) - np.asarray(mu2, float)
    value = gap @ gap + (A * A).sum() + (B * B).sum() - 2 * svdvals(A.T @ B).sum()
    return float(value if value > 0 else 0)


def _square_distances(a, b):
    a, b = (np.asarray(v, float).reshape(len(v), -1) for v in (a, b))
    return np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T, 0)


def precision_recall(real, fake, k=3):
    def covered(points, centres):
        own = _square_distances(centres, centres)
        np.fill_diagonal(own, np.inf)
        return float(
            np.mean(np.any(_square_distances(points, centres) <= np.sort(own, 1)[:, k - 1], 1))
        )

    return covered(fake, real), covered(real, fake)


def mode_collapse_report(fake, real, source, train, k=3):
    pair = lambda a: np.median(np.sqrt(np.diag(_square_distances(a, source))))
    near = lambda a: np.median(np.sqrt(_square_distances(a, train).min(1)))
    numbers = np.array(
        [pair(fake) / pair(real), near(fake) / near(real), *precision_recall(real, fake, k)]
    )
    found = dict(zip(("copy_ratio", "memory_ratio", "precision", "recall"), numbers.tolist()))
    faults = np.flatnonzero(numbers < [0.5, 0.5, 0.5, 0.6])
    words = ("copying", "memorising", "implausible", "collapsed", "faithful")
    return found | {"verdict": words[faults[0] if len(faults) else 4]}


# %% q9
def lesion_contrast_recovery(pred, target, lesion, ref):
    flat = lambda v: np.asarray(v, np.float64).reshape(len(v), -1)
    inside, outside = flat(lesion), flat(ref)
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = inside / inside.sum(1, keepdims=True) - outside / outside.sum(1, keepdims=True)
        shown, there = (np.einsum("ni,ni->n", weight, flat(v)) for v in (pred, target))
        there[np.abs(there) < 1e-12] = np.nan
        return shown / there


def hallucination_rate(pred, target, mask, delta):
    def three(n):
        return np.array([[float(0 <= j - i < 3) for j in range(n)] for i in range(n - 2)])

    left, right = three(pred.shape[1]), three(pred.shape[2]).T
    excess = left @ (np.asarray(pred, float) - np.asarray(target, float)) @ right / 9
    whole = left @ np.asarray(mask, float) @ right > 8.5
    seen = whole.reshape(len(whole), -1).any(1)
    n = int(np.sum(seen))
    if not n:
        return np.nan, np.nan, np.nan
    r, z = int(np.sum(((excess > delta) & whole).reshape(len(whole), -1).any(1))) / n, 1.959964
    ends = np.roots(
        [1 + z**2 / n, -(2 * r + z**2 / n), r**2]
    )  # where |r - q| = z sqrt(q (1 - q) / n)
    return r, float(ends.real.min()), float(ends.real.max())


def bias_map(pred, target, mask=None):
    error = np.asarray(pred, float) - np.asarray(target, float)
    weight = np.ones_like(error) if mask is None else np.asarray(mask, float)
    with np.errstate(invalid="ignore"):
        return np.einsum("nij,nij->ij", weight, error) / np.einsum("nij->ij", weight)


# %% q9
white = (t2_held_out.meta["labels"] == headsim.WHITE) & ~lesions
t2_report = {"psnr": float(np.mean(psnr(t2_synthetic, t2_held_out.y, data_range=RANGE)))}
t2_report |= {
    "recovery": float(
        np.nanmean(lesion_contrast_recovery(t2_synthetic, t2_held_out.y, lesions, white))
    )
}
t2_report |= {"hallucinated": hallucination_rate(t2_synthetic, t2_held_out.y, white, 0.1)[0]}
