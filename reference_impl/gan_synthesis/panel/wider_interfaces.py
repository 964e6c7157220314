"""More parameters than were asked for, all with defaults, and checks of what is given."""


# %% q1
def t1_at_field(A, C, B0, *, reference_field=1.0):
    A, C, B0 = np.asarray(A, float), np.asarray(C, float), np.asarray(B0, float)
    if (B0 <= 0).any():
        raise ValueError("B0 must be greater than 0 T")
    return A * np.exp(C * np.log(B0 / reference_field))


def spin_echo(pd, t1, t2, tr, te, *, flip=90.0):
    """``flip``: the angle of the first pulse, degrees; 90 gives the formula of the text."""
    maps = (np.asarray(value, dtype=np.float64) for value in (pd, t1, t2, tr, te))
    pd, t1, t2, tr, te = np.broadcast_arrays(*maps)
    if min(t1.min(initial=np.inf), t2.min(initial=np.inf)) <= 0:
        raise ValueError("relaxation times must be greater than 0 seconds")
    recovery = -np.expm1(-tr / t1)
    return pd * recovery * np.sin(np.deg2rad(flip)) * np.exp(-te / t2)


# %% q3
def thin_counts(counts, p, rng, *, dtype=np.int64):
    counts = np.asarray(counts)
    if not 0 <= p <= 1:
        raise ValueError(f"p must be in [0, 1], got {p}")
    if p > 0.5:  # draw the smaller part: what is dropped
        return (counts - rng.binomial(counts, 1 - p)).astype(dtype)
    return rng.binomial(counts.astype(np.int64), p).astype(dtype)


def gaussian_psf(img, fwhm_mm, voxel_mm, *, truncate=5.0, mode="reflect"):
    sigma = fwhm_mm / voxel_mm / np.sqrt(8 * np.log(2))
    img = np.asarray(img, float)
    for axis in range(img.ndim):
        img = (
            ndimage.gaussian_filter1d(img, sigma, axis=axis, mode=mode, truncate=truncate)
            if sigma
            else img
        )
    return img


# %% q4
def _average(values, mask, axes=(-2, -1)):
    if mask is None:
        return values.mean(axis=axes)
    masked = np.ma.masked_array(values, mask=~np.broadcast_to(np.asarray(mask, bool), values.shape))
    return np.ma.filled(masked.mean(axis=axes), np.nan).astype(np.float64)


def psnr(p, t, data_range, mask=None, *, base=10):
    if not data_range > 0:
        raise ValueError("data_range must be greater than 0")
    p, t = np.asarray(p, np.float64), np.asarray(t, np.float64)
    rmse = np.sqrt(np.asarray(_average((p - t) ** 2, mask)))
    with np.errstate(divide="ignore"):
        return 20 * np.log(data_range / rmse) / np.log(base)


def ssim(p, t, data_range, mask=None, *, window=7, k1=0.01, k2=0.03):
    """Windows by sums over sliding views; variances about the mean, not as differences of squares."""
    p, t = np.asarray(p, np.float64), np.asarray(t, np.float64)
    views = [
        np.lib.stride_tricks.sliding_window_view(v, (window, window), axis=(-2, -1)) for v in (p, t)
    ]
    mp, mt = (v.mean(axis=(-2, -1)) for v in views)
    dp, dt = (v - m[..., None, None] for v, m in zip(views, (mp, mt)))
    n = window**2 - 1
    vp, vt, cov = ((a * b).sum(axis=(-2, -1)) / n for a, b in ((dp, dp), (dt, dt), (dp, dt)))
    c1, c2 = (k1 * data_range) ** 2, (k2 * data_range) ** 2
    values = (2 * mp * mt + c1) * (2 * cov + c2) / ((mp * mp + mt * mt + c1) * (vp + vt + c2))
    rim = window // 2
    return _average(values, None if mask is None else np.asarray(mask)[..., rim:-rim, rim:-rim])


def nrmse(p, t, mask=None, *, eps=0.0):
    p, t = np.asarray(p, np.float64), np.asarray(t, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(np.sqrt(_average((p - t) ** 2, mask)), np.sqrt(_average(t**2, mask)) + eps)


# %% q5
KINDS = ("nonsat", "lsgan", "hinge", "wgan")


def _checked(kind):
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}")
    return kind


def d_loss(real_logits, fake_logits, kind, *, smooth=0.0, reduction=torch.mean):
    """``smooth``: one-sided label smoothing of the least-squares game."""
    return {
        "nonsat": lambda: (
            reduction(torch.logaddexp(torch.zeros_like(real_logits), -real_logits))
            + reduction(torch.logaddexp(torch.zeros_like(fake_logits), fake_logits))
        ),
        "lsgan": lambda: (
            reduction((real_logits - 1 + smooth) ** 2) * 0.5 + reduction(fake_logits**2) * 0.5
        ),
        "hinge": lambda: (
            -reduction(torch.clamp_max(real_logits - 1, 0))
            - reduction(torch.clamp_max(-fake_logits - 1, 0))
        ),
        "wgan": lambda: reduction(fake_logits) - reduction(real_logits),
    }[_checked(kind)]()


def g_loss(fake_logits, kind, *, reduction=torch.mean):
    zero = fake_logits.new_zeros(())
    terms = {
        "nonsat": lambda f: torch.logaddexp(zero, -f),
        "lsgan": lambda f: (f - 1) ** 2 / 2,
        "hinge": lambda f: -f,
        "wgan": lambda f: -f,
    }
    return reduction(terms[_checked(kind)](fake_logits))


# %% q5
def gradient_penalty(D, real, fake, alpha, lam=10.0, *, target=1.0, one_sided=False):
    mixed = torch.autograd.Variable(alpha * real + (1 - alpha) * fake, requires_grad=True)
    scores = D(mixed).reshape(len(mixed), -1).mean(-1)
    (slope,) = torch.autograd.grad(
        outputs=scores,
        inputs=mixed,
        grad_outputs=torch.ones_like(scores),
        create_graph=True,
        retain_graph=True,
    )
    excess = slope.reshape(len(slope), -1).norm(2, dim=-1) - target
    excess = excess.clamp(min=0) if one_sided else excess
    return lam * excess.square().mean()


def r1(D, real, gamma=10.0, interval=1, *, create_graph=True):
    images = real.clone().detach()
    images.requires_grad = True
    logits = D(images)
    score = logits.flatten(1).mean(1) if logits.ndim > 1 else logits
    slope = torch.autograd.grad([score.sum()], [images], create_graph=create_graph)[0]
    return torch.einsum("bchw,bchw->", slope, slope) / len(images) * gamma * interval / 2


# %% q7
def critic_loss(D, source, real, fake, kind="hinge", *, penalty=0.0):
    loss = d_loss(D(source, real), D(source, fake.detach()), kind)
    return loss + r1(lambda image: D(source, image), real, penalty) if penalty else loss


def generator_loss(D, source, real, fake, kind="hinge", weight=0.01, *, distance=F.l1_loss):
    return distance(fake, real) + weight * g_loss(D(source, fake), kind)


def train_translator(
    train,
    val,
    seed=0,
    device="cpu",
    max_seconds=60.0,
    *,
    epochs=20,
    batch=8,
    lr=4e-3,
    kind="hinge",
    r1_gamma=0.0,
    verbose=True,
):
    """The weights returned are a moving average of the last epochs' weights."""
    stop = time.monotonic() + max_seconds
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        rng = np.random.default_rng([seed, 1])
        X, Y = (lab.to_unit(v, device) for v in train)
        G, D = UNetGenerator().to(device), PatchDiscriminator().to(device)
        mean = torch.optim.swa_utils.AveragedModel(
            G, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
        )
        g_opt, d_opt = (torch.optim.Adam(n.parameters(), lr=lr, betas=(0.5, 0.99)) for n in (G, D))
        steps = epochs * int(np.ceil(len(X) / batch))
        schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(o, steps) for o in (g_opt, d_opt)]
        for epoch in range(epochs):
            order = rng.permutation(len(X))
            for at in range(0, len(X), batch):
                rows = order[at : at + batch]
                x, y = X[rows], Y[rows]
                if rng.integers(2):
                    x, y = torch.flip(x, (3,)), torch.flip(y, (3,))
                fake = G(x)
                for loss, opt in ((critic_loss, d_opt), (generator_loss, g_opt)):
                    opt.zero_grad()
                    loss(D, x, y, fake, kind).backward()
                    opt.step()
                [s.step() for s in schedules]
                mean.update_parameters(G)
                if time.monotonic() > stop:
                    break
            if time.monotonic() > stop:
                break
            if verbose:
                print(
                    epoch + 1,
                    np.round(
                        psnr(translate(G, val[0]), lab.to_unit(val[1])[:, 0].numpy(), RANGE).mean(),
                        2,
                    ),
                )
    G.load_state_dict(mean.module.state_dict())
    return G.eval()


def translate(model, X, batch=64, *, clip=(0.0, 1.0)):
    training = model.training
    model.train(False)
    where = next(model.parameters()).device
    with torch.inference_mode():
        parts = [
            torch.clamp(model(x.to(where)), *clip).squeeze(1).cpu()
            for x in torch.utils.data.DataLoader(lab.to_unit(X), batch)
        ]
    model.train(training)
    return torch.cat(parts).float().numpy()


# %% q7
generator = coursekit.load_or_train(
    "a3_gen.safetensors",
    UNetGenerator,
    lambda: train_translator((train.X, train.y), (val.X, val.y), device=device, max_seconds=200),
)
