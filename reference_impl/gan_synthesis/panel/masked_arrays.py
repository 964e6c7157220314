"""Masked arrays and gaps as ``nan`` in place of weights."""


# %% q1
def t1_at_field(A, C, B0):
    return np.ma.filled(np.ma.asarray(A) * np.ma.power(np.ma.asarray(B0, dtype=float), C), np.nan)


def spin_echo(pd, t1, t2, tr, te):
    t1, t2 = (np.ma.masked_less_equal(np.asarray(v, dtype=float), 0) for v in (t1, t2))
    if np.ma.is_masked(t1) or np.ma.is_masked(t2):
        raise ValueError("there are holes in the map of T1 or T2")
    signal = (
        np.ma.asarray(pd) * (1 - np.ma.exp(-np.asarray(tr) / t1)) * np.ma.exp(-np.asarray(te) / t2)
    )
    return np.ma.filled(np.ma.asarray(signal, dtype=float), np.nan)


# %% q4
def _masked(values, mask):
    keep = (
        np.ones(values.shape, bool)
        if mask is None
        else np.broadcast_to(np.asarray(mask, bool), values.shape)
    )
    return np.ma.array(values, mask=~keep)


def _filled(values):
    return np.asarray(np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan))


def psnr(p, t, data_range, mask=None):
    squares = _masked(np.subtract(p, t, dtype=np.float64) ** 2, mask)
    mse = _filled(squares.mean(axis=(-1, -2)))
    with np.errstate(divide="ignore"):
        return 10 * np.log10(np.float64(data_range) ** 2 / mse)


def ssim(p, t, data_range, mask=None):
    """Windows that leave the image are gaps, not values."""
    p, t = np.asarray(p, np.float64), np.asarray(t, np.float64)
    size = (*([1] * (p.ndim - 2)), 7, 7)
    mean = lambda v: ndimage.correlate(v, np.full(size, 1 / 49), mode="constant", cval=0.0)
    mp, mt = mean(p), mean(t)
    vp, vt, cov = (
        49 / 48 * (mean(a * b) - ma * mb)
        for a, b, ma, mb in ((p, p, mp, mp), (t, t, mt, mt), (p, t, mp, mt))
    )
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    values = ((2 * mp * mt + c1) * (2 * cov + c2)) / ((mp**2 + mt**2 + c1) * (vp + vt + c2))
    inside = np.zeros(p.shape[-2:], bool)
    inside[3:-3, 3:-3] = True
    keep = inside if mask is None else inside & np.asarray(mask, bool)
    return _filled(_masked(values, keep).mean(axis=(-1, -2)))


def nrmse(p, t, mask=None):
    error, truth = (
        _masked(np.asarray(v, np.float64) ** 2, mask)
        for v in (np.subtract(p, t, dtype=np.float64), t)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(_filled(error.sum(axis=(-2, -1))) / _filled(truth.sum(axis=(-2, -1))))


# %% q9
def lesion_contrast_recovery(pred, target, lesion, ref):
    def mean(images, where):
        return _filled(
            np.ma.array(np.asarray(images, float), mask=~np.asarray(where, bool)).mean(axis=(1, 2))
        )

    there = mean(target, lesion) - mean(target, ref)
    shown = mean(pred, lesion) - mean(pred, ref)
    return _filled(np.ma.divide(shown, np.ma.masked_equal(there, 0)))


def hallucination_rate(pred, target, mask, delta):
    excess = np.where(
        mask, np.asarray(pred, float) - np.asarray(target, float), np.nan
    )  # gaps spread
    windows = np.lib.stride_tricks.sliding_window_view(excess, (3, 3), axis=(-2, -1)).mean((-1, -2))
    brightest = np.ma.masked_invalid(windows).reshape(len(windows), -1).max(axis=1).compressed()
    n = brightest.size
    if n == 0:
        return (np.nan, np.nan, np.nan)
    z2, rate = 1.959964**2, float((brightest > delta).mean())
    reach = np.sqrt(z2 * rate * (1 - rate) / n + z2**2 / (4 * n**2))
    return (
        rate,
        float((rate + z2 / (2 * n) - reach) / (1 + z2 / n)),
        float((rate + z2 / (2 * n) + reach) / (1 + z2 / n)),
    )


def bias_map(pred, target, mask=None):
    import warnings

    error = np.asarray(pred, float) - np.asarray(target, float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of pixels where nothing counts
        return np.nanmean(error if mask is None else np.where(mask, error, np.nan), axis=0)


# %% q9
white = (t2_held_out.meta["labels"] == headsim.WHITE) & ~lesions
t2_report = {
    "psnr": psnr(t2_synthetic, t2_held_out.y, RANGE).mean().item(),
    "recovery": np.ma.masked_invalid(
        lesion_contrast_recovery(t2_synthetic, t2_held_out.y, lesions, white)
    )
    .mean()
    .item(),
    "hallucinated": hallucination_rate(t2_synthetic, t2_held_out.y, white, 0.1)[0],
}
