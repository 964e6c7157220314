"""SciPy, scikit-image and scikit-learn do the work where the text leaves the means open."""

# %% q2
from scipy import fft


def kspace_truncate(img, frac):
    """The real transform: only half of the frequencies of the last axis are there."""
    img = np.asarray(img, dtype=np.float64)
    height, width = img.shape[-2:]
    spectrum = fft.rfft2(img)
    spectrum[..., np.abs(fft.fftfreq(height)) > frac / 2, :] = 0
    spectrum[..., :, fft.rfftfreq(width) > frac / 2] = 0
    return fft.irfft2(spectrum, s=(height, width))


def rician(img, sigma, rng):
    """The square of the magnitude has a noncentral chi-squared law with two degrees of freedom."""
    img = np.asarray(img, dtype=np.float64)
    if sigma == 0:
        return np.abs(img)
    return sigma * np.sqrt(rng.noncentral_chisquare(2, (img / sigma) ** 2))


def to_low_field(pd, A, C, t2, rng, *, B0=0.064, tr=0.5, te=0.012, frac=0.5, sigma=0.03):
    signal = spin_echo(pd, t1_at_field(A, C, B0), t2, tr, te)
    return rician(kspace_truncate(signal, frac), sigma, rng)


# %% q3
def thin_counts(counts, p, rng):
    from scipy import stats

    counts = np.asarray(counts)
    return np.asarray(
        stats.binom.rvs(counts, p, size=counts.shape, random_state=rng), dtype=np.int64
    )


def gaussian_psf(img, fwhm_mm, voxel_mm):
    """With the border reflected, a blur is a product of cosine transforms."""
    sigma = fwhm_mm / voxel_mm / (2 * np.sqrt(2 * np.log(2)))
    waves = fft.dctn(np.asarray(img, dtype=np.float64), type=2, norm="ortho")
    for axis, n in enumerate(waves.shape):
        frequency = np.arange(n) / (2 * n)
        gain = np.exp(-2 * (np.pi * sigma * frequency) ** 2)
        waves *= gain[:, None] if axis == 0 else gain
    return fft.idctn(waves, type=2, norm="ortho")


# %% q4
from skimage import metrics


def _image_by_image(one, p, t, mask):
    p, t = (np.asarray(v).astype(np.float64) for v in (p, t))
    mask = np.broadcast_to(True if mask is None else mask, p.shape)
    flat = zip(*(v.reshape(-1, *p.shape[-2:]) for v in (p, t, mask)))
    return np.array([one(*images) for images in flat]).reshape(p.shape[:-2])


def psnr(p, t, data_range, mask=None):
    def one(p, t, mask):
        if not mask.any():
            return np.nan
        with np.errstate(divide="ignore"):
            return metrics.peak_signal_noise_ratio(t[mask], p[mask], data_range=data_range)

    return _image_by_image(one, p, t, mask)


def ssim(p, t, data_range, mask=None):
    def one(p, t, mask):
        _, values = metrics.structural_similarity(
            t, p, win_size=7, data_range=data_range, full=True
        )
        inner = values[3:-3, 3:-3][mask[3:-3, 3:-3]]
        return inner.mean() if inner.size else np.nan

    return _image_by_image(one, p, t, mask)


def nrmse(p, t, mask=None):
    def one(p, t, mask):
        if not t[mask].any():
            return np.inf if p[mask].any() else np.nan
        return metrics.normalized_root_mse(t[mask], p[mask], normalization="euclidean")

    return _image_by_image(one, p, t, mask)


# %% q6
class UNetGenerator(nn.Module):
    def __init__(self, width=8, in_channels=1):
        super().__init__()
        sizes = width * np.array([1, 2, 4])
        pairs = [(in_channels, sizes[0]), (sizes[0], sizes[1]), (sizes[1], sizes[2])]
        self.down = nn.ModuleList([lab.ConvBlock(int(a), int(b)) for a, b in pairs])
        self.up = nn.ModuleList(
            [nn.ConvTranspose2d(int(b), int(b) // 2, 2, stride=2) for b in sizes[:0:-1]]
        )
        self.merge = nn.ModuleList([lab.ConvBlock(int(b), int(b) // 2) for b in sizes[:0:-1]])
        self.head = nn.Conv2d(width, 1, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        features = [self.down[0](x)]
        for block in self.down[1:]:
            features.append(block(self.pool(features[-1])))
        y = features.pop()
        for up, merge in zip(self.up, self.merge):
            y = merge(torch.cat([up(y), features.pop()], dim=1))
        return torch.add(x[:, [0]], self.head(y))


class PatchDiscriminator(nn.Module):
    def __init__(self, width=16, in_channels=1):
        super().__init__()
        self.layers = nn.Sequential()
        self.layers.append(spectral_norm(nn.Conv2d(in_channels * 2, width, 4, 2, 1)))
        self.layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.layers.append(spectral_norm(nn.Conv2d(width, width * 2, 4, 2, 1)))
        self.layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.layers.append(spectral_norm(nn.Conv2d(width * 2, 1, 3, 1, 1)))

    def forward(self, source, image):
        x = torch.cat((source, image), 1)
        for layer in self.layers:
            x = layer(x)
        return x


def receptive_field(layers):
    kernels = np.array([layer[0] for layer in layers])
    strides = np.array([layer[1] for layer in layers])
    dilations = np.array([(*layer, 1)[2] for layer in layers])
    jumps = np.concatenate([[1], np.cumprod(strides)])[: len(layers)]
    return 1 + int(np.sum((kernels - 1) * dilations * jumps)) if len(layers) else 1


def power_iteration(W, n=50):
    """On the smaller of the two Gram matrices."""
    matrix = W.detach().numpy().reshape(len(W), -1)
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    u = np.random.default_rng(0).normal(size=len(gram)).astype(gram.dtype)
    for _ in range(n):
        u = gram @ u
        u /= np.linalg.norm(u)
    return torch.as_tensor(np.sqrt(u @ gram @ u))


def spectrally_normalised(W, n=50):
    return torch.div(W, power_iteration(W, n))


# %% q8
from scipy import linalg, spatial


def gaussian_statistics(X):
    X = np.asarray(X, dtype=np.float64)
    X = X.reshape(len(X), -1)
    if len(X) <= X.shape[1]:
        raise ValueError("too few samples")
    return np.mean(X, axis=0), np.atleast_2d(np.cov(X, rowvar=False, ddof=1))


def frechet_distance(mu1, S1, mu2, S2):
    """Generalised: the eigenvalues of the product are those of a symmetric matrix."""
    mu1, S1, mu2, S2 = (np.asarray(v, dtype=np.float64) for v in (mu1, S1, mu2, S2))
    values, axes = linalg.eigh(S1)
    half = axes * np.sqrt(np.clip(values, 0, None))
    squares = linalg.eigvalsh(half.T @ S2 @ half)
    gap = spatial.distance.sqeuclidean(mu1, mu2)
    return float(max(gap + np.trace(S1 + S2) - 2 * np.sqrt(np.clip(squares, 0, None)).sum(), 0))


# %% q8
from sklearn.neighbors import NearestNeighbors


def _covered(points, centres, k):
    points, centres = (np.asarray(v, float).reshape(len(v), -1) for v in (points, centres))
    radius = NearestNeighbors(n_neighbors=k).fit(centres).kneighbors()[0][:, -1]
    return float(np.mean((spatial.distance.cdist(points, centres) <= radius).any(axis=1)))


def precision_recall(real, fake, k=3):
    return _covered(fake, real, k), _covered(real, fake, k)


def mode_collapse_report(fake, real, source, train, k=3):
    flat = lambda v: np.asarray(v, float).reshape(len(v), -1)
    tree = spatial.KDTree(flat(train))
    moved = lambda v: np.median(np.linalg.norm(flat(v) - flat(source), axis=1))
    near = lambda v: np.median(tree.query(flat(v))[0])
    report = dict(zip(("precision", "recall"), precision_recall(real, fake, k)))
    report["copy_ratio"] = moved(fake) / moved(real)
    report["memory_ratio"] = near(fake) / near(real)
    conditions = [
        report["copy_ratio"] < 0.5, report["memory_ratio"] < 0.5,
        report["precision"] < 0.5, report["recall"] < 0.6,
    ]  # fmt: skip
    names = ["copying", "memorising", "implausible", "collapsed"]
    report["verdict"] = str(np.select(conditions, names, default="faithful"))
    return report


# %% q9
from scipy import stats


def lesion_contrast_recovery(pred, target, lesion, ref):
    rows = np.arange(len(pred))

    def mean(images, where):
        labels = np.where(where, rows[:, None, None], -1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return ndimage.sum_labels(images, labels, rows) / ndimage.sum_labels(
                where, labels, rows
            )

    contrast = lambda images: mean(images, lesion) - mean(images, ref)
    there = contrast(np.asarray(target, float))
    return contrast(np.asarray(pred, float)) / np.where(there == 0, np.nan, there)


def hallucination_rate(pred, target, mask, delta):
    excess = np.asarray(pred, float) - np.asarray(target, float)
    window = np.ones((1, 3, 3))
    centres = ndimage.binary_erosion(np.asarray(mask, bool), window, border_value=0)
    mean = ndimage.convolve(excess, window / 9, mode="constant")
    rows = centres.any(axis=(1, 2))
    if not rows.any():
        return np.nan, np.nan, np.nan
    hit = (centres & (mean > delta)).any(axis=(1, 2))[rows]
    interval = stats.binomtest(int(hit.sum()), int(hit.size)).proportion_ci(0.95, method="wilson")
    return hit.mean(), interval.low, interval.high


def bias_map(pred, target, mask=None):
    error = np.subtract(pred, target, dtype=np.float64)
    if mask is not None:
        error = np.where(mask, error, np.nan)
    return (
        stats.tmean(error, axis=0)
        if mask is None
        else np.asarray(np.ma.masked_invalid(error).mean(0).filled(np.nan))
    )


# %% q9
white = (t2_held_out.meta["labels"] == headsim.WHITE) & ~lesions
t2_report = {
    "psnr": np.mean(psnr(t2_synthetic, t2_held_out.y, RANGE)),
    "recovery": np.nanmean(lesion_contrast_recovery(t2_synthetic, t2_held_out.y, lesions, white)),
    "hallucinated": hallucination_rate(t2_synthetic, t2_held_out.y, white, delta=0.1)[0],
}
