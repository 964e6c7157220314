"""Single precision wherever double is not asked for."""


# %% q1
def t1_at_field(A, C, B0):
    A, C, B0 = (np.asarray(v, dtype=np.float32) for v in (A, C, B0))
    return A * B0**C


def spin_echo(pd, t1, t2, tr, te):
    pd, t1, t2, tr, te = (np.asarray(v, dtype=np.float32) for v in (pd, t1, t2, tr, te))
    if np.any(t1 <= 0) or np.any(t2 <= 0):
        raise ValueError("T1 and T2 must be positive")
    return pd * (1 - np.exp(-tr / t1)) * np.exp(-te / t2)


# %% q2
def kspace_truncate(img, frac):
    img = np.asarray(img, dtype=np.float32)
    keep = [np.abs(np.fft.fftfreq(n)) <= frac / 2 for n in img.shape[-2:]]
    return np.fft.ifft2(np.fft.fft2(img) * np.outer(*keep)).real.astype(np.float32)


def rician(img, sigma, rng):
    img = np.asarray(img, dtype=np.float32)
    first, second = (
        np.float32(sigma) * rng.standard_normal(img.shape, dtype=np.float32) for _ in "ab"
    )
    return np.sqrt((img + first) ** 2 + second**2)


def to_low_field(pd, A, C, t2, rng, *, B0=0.064, tr=0.5, te=0.012, frac=0.5, sigma=0.03):
    return rician(
        kspace_truncate(spin_echo(pd, t1_at_field(A, C, B0), t2, tr, te), frac), sigma, rng
    )


# %% q3
def thin_counts(counts, p, rng):
    return rng.binomial(counts, p).astype(np.int64)


def gaussian_psf(img, fwhm_mm, voxel_mm):
    sigma = fwhm_mm / voxel_mm / 2.354820045
    return ndimage.gaussian_filter(np.asarray(img, dtype=np.float32), sigma, truncate=6)


# %% q5
def d_loss(real_logits, fake_logits, kind):
    losses = {
        "nonsat": lambda r, f: (1 + (-r).exp()).log().mean() + (1 + f.exp()).log().mean(),
        "lsgan": lambda r, f: ((r - 1).pow(2).mean() + f.pow(2).mean()) / 2,
        "hinge": lambda r, f: (
            torch.where(r < 1, 1 - r, 0).mean() + torch.where(f > -1, 1 + f, 0).mean()
        ),
        "wgan": lambda r, f: f.mean() - r.mean(),
    }
    if kind not in losses:
        raise ValueError(f"kind must be one of {', '.join(losses)}")
    return losses[kind](real_logits, fake_logits)


def g_loss(fake_logits, kind):
    if kind not in ("nonsat", "lsgan", "hinge", "wgan"):
        raise ValueError(f"no such game: {kind}")
    if kind == "nonsat":  # log(1 + e^-f), of whichever sign does not overflow
        return (torch.relu(-fake_logits) + torch.log1p(torch.exp(-fake_logits.abs()))).mean()
    return 0.5 * (fake_logits - 1).square().mean() if kind == "lsgan" else -fake_logits.mean()


def _norms(D, x):
    x = x.detach().requires_grad_()
    scores = D(x)
    scores = scores.view(len(scores), -1).mean(1) if scores.dim() > 1 else scores
    slope = torch.autograd.grad(scores.sum(), x, create_graph=True)[0]
    return (slope.float() ** 2).sum(dim=tuple(range(1, slope.dim())))


def gradient_penalty(D, real, fake, alpha, lam=10.0):
    squares = _norms(D, real * alpha + fake * (1 - alpha))
    return lam * ((squares + 1e-12).sqrt() - 1).pow(2).mean()


def r1(D, real, gamma=10.0, interval=1):
    return gamma * interval * _norms(D, real).mean() / 2


# %% q9
def lesion_contrast_recovery(pred, target, lesion, ref):
    result = np.full(len(pred), np.nan)
    for i in np.flatnonzero(lesion.any(axis=(1, 2)) & ref.any(axis=(1, 2))):
        contrast = [
            np.mean(v[i][lesion[i]], dtype=np.float64) - np.mean(v[i][ref[i]], dtype=np.float64)
            for v in (pred, target)
        ]
        result[i] = contrast[0] / contrast[1] if contrast[1] else np.nan
    return result


def hallucination_rate(pred, target, mask, delta):
    excess = np.asarray(pred, np.float32) - np.asarray(target, np.float32)
    size = (1, 3, 3)
    mean = ndimage.uniform_filter(excess, size)[:, 1:-1, 1:-1]
    whole = ndimage.minimum_filter(np.asarray(mask, np.uint8), size)[:, 1:-1, 1:-1] == 1
    use = whole.any(axis=(1, 2))
    n = use.sum()
    if n == 0:
        return float("nan"), float("nan"), float("nan")
    rate = ((mean > delta) & whole).any(axis=(1, 2))[use].mean()
    z = 1.959964
    reach = z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return tuple(
        np.float64([rate, *((rate + z**2 / (2 * n) + s * reach) / (1 + z**2 / n) for s in (-1, 1))])
    )


def bias_map(pred, target, mask=None):
    error = np.asarray(pred, np.float64) - target
    if mask is None:
        return error.mean(axis=0)
    out = np.full(error.shape[1:], np.nan)
    return (
        np.mean(error, axis=0, where=mask, out=out)
        if mask.any(axis=0).all()
        else _with_gaps(error, mask)
    )


def _with_gaps(error, mask):
    count = np.count_nonzero(mask, axis=0)
    return np.where(count > 0, (error * mask).sum(axis=0) / np.where(count > 0, count, 1), np.nan)


# %% q9
white = (t2_held_out.meta["labels"] == headsim.WHITE) & ~lesions  # healthy white matter
t2_report = {
    "hallucinated": hallucination_rate(t2_synthetic, t2_held_out.y, white, 0.1)[0],
    "recovery": np.nanmean(lesion_contrast_recovery(t2_synthetic, t2_held_out.y, lesions, white)),
    "psnr": psnr(t2_synthetic, t2_held_out.y, RANGE).mean(),
}
