"""Tensors in double precision: PyTorch computes what the solution leaves to NumPy and SciPy."""


# %% q1
def _tensors(*values):
    return torch.broadcast_tensors(
        *(torch.as_tensor(np.asarray(v, dtype=np.float64)) for v in values)
    )


def t1_at_field(A, C, B0):
    A, C, B0 = _tensors(A, C, B0)
    return (A * torch.pow(B0, C)).numpy()


def spin_echo(pd, t1, t2, tr, te):
    pd, t1, t2, tr, te = _tensors(pd, t1, t2, tr, te)
    if bool((t1 <= 0).any()) or bool((t2 <= 0).any()):
        raise ValueError("t1 and t2 must be greater than 0")
    return (pd * -torch.expm1(-tr / t1) * torch.exp(-te / t2)).numpy()


# %% q2
def kspace_truncate(img, frac):
    """The zero frequency is moved to the middle and the rim cut off."""
    x = torch.as_tensor(np.asarray(img, dtype=np.float64))
    k = torch.fft.fftshift(torch.fft.fft2(x, norm="ortho"), dim=(-2, -1))
    for axis in (-2, -1):
        f = torch.fft.fftshift(torch.fft.fftfreq(x.shape[axis], dtype=torch.float64))
        keep = (f.abs() <= frac / 2).to(k.dtype)
        k = k * (keep[:, None] if axis == -2 else keep)
    return torch.fft.ifft2(torch.fft.ifftshift(k, dim=(-2, -1)), norm="ortho").real.numpy()


def rician(img, sigma, rng):
    S = torch.as_tensor(np.asarray(img, dtype=np.float64))
    noise = torch.complex(
        *(torch.from_numpy(np.asarray(rng.standard_normal(S.shape))) for _ in range(2))
    )
    return (S + sigma * noise).abs().numpy()


def to_low_field(pd, A, C, t2, rng, *, B0=0.064, tr=0.5, te=0.012, frac=0.5, sigma=0.03):
    return rician(
        kspace_truncate(spin_echo(pd, t1_at_field(A, C, B0), t2, tr, te), frac), sigma, rng
    )


# %% q3
def thin_counts(counts, p, rng):
    counts = np.asarray(counts)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    total = torch.as_tensor(counts.astype(np.float64))
    kept = torch.binomial(total, torch.full_like(total, float(p)), generator=generator)
    return kept.long().numpy()


def gaussian_psf(img, fwhm_mm, voxel_mm):
    """A convolution with a separable kernel, of an image continued by its mirror image."""
    x = torch.as_tensor(np.asarray(img, dtype=np.float64))
    sigma = fwhm_mm / voxel_mm / np.sqrt(8 * np.log(2))
    if sigma == 0:
        return x.clone().numpy()
    reach = int(6 * sigma + 1)
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = kernel / kernel.sum()
    for _ in range(2):
        n = x.shape[-1]
        mirror = torch.cat([torch.arange(n), torch.arange(n - 1, -1, -1)])
        place = mirror[torch.arange(-reach, n + reach) % (2 * n)]
        x = F.conv1d(x[:, None, place], kernel[None, None])[:, 0].T
    return x.numpy()


# %% q4
def _mean(values, mask):
    values = torch.as_tensor(values)
    mask = (
        torch.ones_like(values)
        if mask is None
        else torch.as_tensor(np.asarray(mask, float)).expand_as(values)
    )
    return (torch.where(mask > 0, values, 0.0).sum((-2, -1)) / mask.sum((-2, -1))).numpy()


def _double(v):
    return torch.as_tensor(np.ascontiguousarray(v)).double()


def psnr(p, t, data_range, mask=None):
    mse = torch.as_tensor(_mean((_double(p) - _double(t)) ** 2, mask))
    return (-10 * torch.log10(mse / data_range**2)).numpy()


def ssim(p, t, data_range, mask=None):
    p, t = _double(p), _double(t)
    lead = p.shape[:-2]
    stack = (
        torch.stack([p, t, p * p, t * t, p * t]).flatten(1, -3)
        if lead
        else torch.stack([p, t, p * p, t * t, p * t])[:, None]
    )
    means = F.avg_pool2d(stack, 7, stride=1)
    mp, mt, pp, tt, pt = means.reshape(5, *lead, *means.shape[-2:])
    vp, vt, cov = ((a - b) * 49 / 48 for a, b in ((pp, mp**2), (tt, mt**2), (pt, mp * mt)))
    c1, c2 = (k * data_range * k * data_range for k in (0.01, 0.03))
    values = (2 * mp * mt + c1) * (2 * cov + c2) / ((mp**2 + mt**2 + c1) * (vp + vt + c2))
    return _mean(values, None if mask is None else np.asarray(mask)[..., 3:-3, 3:-3])


def nrmse(p, t, mask=None):
    p, t = _double(p), _double(t)
    weight = (
        torch.ones_like(p)
        if mask is None
        else torch.as_tensor(np.asarray(mask, float)).expand_as(p)
    )
    norm = lambda v: torch.linalg.vector_norm(v * weight, dim=(-2, -1))
    return (norm(p - t) / norm(t)).numpy()


# %% q8
def gaussian_statistics(X):
    X = torch.as_tensor(np.asarray(X, dtype=np.float64)).flatten(1)
    if X.shape[0] <= X.shape[1]:
        raise ValueError(f"more than {X.shape[1]} samples are needed")
    return X.mean(0).numpy(), torch.cov(X.T).reshape(X.shape[1], X.shape[1]).numpy()


def frechet_distance(mu1, S1, mu2, S2):
    """The trace of the root is the nuclear norm of the product of two roots."""
    mu1, S1, mu2, S2 = (
        torch.as_tensor(np.asarray(v, dtype=np.float64)) for v in (mu1, S1, mu2, S2)
    )

    def root(S):
        values, axes = torch.linalg.eigh(S)
        return axes * values.clamp(min=0).sqrt()

    cross = torch.linalg.svdvals(root(S1).T @ root(S2)).sum()
    distance = (mu1 - mu2).square().sum() + torch.trace(S1) + torch.trace(S2) - 2 * cross
    return distance.clamp(min=0).item()


# %% q8
def _flat(v):
    return torch.as_tensor(np.asarray(v, dtype=np.float64)).flatten(1)


def _far(a, b):
    return torch.cdist(_flat(a), _flat(b), compute_mode="donot_use_mm_for_euclid_dist")


def precision_recall(real, fake, k=3):
    def covered(points, centres):
        radius = _far(centres, centres).kthvalue(k + 1, dim=1).values  # the nearest is itself
        return (_far(points, centres) <= radius).any(1).double().mean().item()

    return covered(fake, real), covered(real, fake)


def mode_collapse_report(fake, real, source, train, k=3):
    median = lambda v: torch.quantile(v, 0.5).item()
    step = lambda v: median((_flat(v) - _flat(source)).norm(dim=1))
    near = lambda v: median(_far(v, train).amin(1))
    precision, recall = precision_recall(real, fake, k)
    copy_ratio, memory_ratio = step(fake) / step(real), near(fake) / near(real)
    faults = {
        "copying": copy_ratio < 0.5,
        "memorising": memory_ratio < 0.5,
        "implausible": precision < 0.5,
        "collapsed": recall < 0.6,
        "faithful": True,
    }
    return {
        "verdict": next(name for name, applies in faults.items() if applies),
        "copy_ratio": copy_ratio,
        "memory_ratio": memory_ratio,
        "precision": precision,
        "recall": recall,
    }


# %% q9
def lesion_contrast_recovery(pred, target, lesion, ref):
    images = torch.stack([_double(pred), _double(target)])
    inside, outside = (_double(m) for m in (lesion, ref))
    mean = lambda m: (images * m).sum((-2, -1)) / m.sum((-2, -1))
    shown, there = mean(inside) - mean(outside)
    return torch.where(there != 0, shown / there, torch.nan).numpy()


def hallucination_rate(pred, target, mask, delta):
    excess, m = _double(pred) - _double(target), _double(mask)
    windows = F.avg_pool2d(excess[:, None], 3, stride=1)
    whole = -F.max_pool2d(-m[:, None], 3, stride=1) > 0.5
    counted = whole.flatten(1).any(1)
    invented = ((windows > delta) & whole).flatten(1).any(1)[counted].double()
    n = len(invented)
    if n == 0:
        return (float("nan"),) * 3
    rate, z = invented.mean(), torch.special.ndtri(torch.tensor(0.975, dtype=torch.float64))
    centre, reach = rate + z**2 / (2 * n), z * (rate * (1 - rate) / n + z**2 / (4 * n**2)).sqrt()
    return (
        rate.item(),
        ((centre - reach) / (1 + z**2 / n)).item(),
        ((centre + reach) / (1 + z**2 / n)).item(),
    )


def bias_map(pred, target, mask=None):
    error = _double(pred) - _double(target)
    if mask is not None:
        error = error.masked_fill(~torch.as_tensor(np.asarray(mask, bool)), torch.nan)
    return error.nanmean(0).numpy()


# %% q9
white = (t2_held_out.meta["labels"] == headsim.WHITE) & ~lesions
t2_report = {
    "psnr": torch.as_tensor(psnr(t2_synthetic, t2_held_out.y, RANGE)).mean().item(),
    "recovery": torch.as_tensor(
        lesion_contrast_recovery(t2_synthetic, t2_held_out.y, lesions, white)
    )
    .nanmean()
    .item(),
    "hallucinated": hallucination_rate(t2_synthetic, t2_held_out.y, white, 0.1)[0],
}
