"""Tensors throughout: all resamples as one matrix, autograd in one batch, Newton's method."""


# %% q2
def rates(y, p, flagged, weight):
    """Metrics of rows that count ``weight`` [B, N] times, one row a resample: [B, 6]."""
    level = torch.unique(p, return_inverse=True)[1]
    zeros = torch.zeros(len(weight), int(level.max()) + 1, dtype=torch.float64)
    ill = zeros.index_add(1, level, weight * y)
    well = zeros.index_add(1, level, weight * (1 - y))
    below = well.cumsum(dim=1) - well / 2
    tp, fp = weight @ (y * flagged), weight @ ((1 - y) * flagged)
    pos, neg = ill.sum(dim=1), well.sum(dim=1)
    auc = (ill * below).sum(dim=1) / (pos * neg)
    return torch.stack(
        [pos / (pos + neg), auc, tp / pos, (pos - tp) / pos, fp / neg, tp / (tp + fp)], dim=1
    )  # 0 / 0 is nan


def subgroup_report(y, p, groups, thr, B=200, seed=0, min_n=30, cluster=None):
    y = torch.as_tensor(np.array(y, dtype=float))
    p = torch.as_tensor(np.array(p, dtype=float))
    patient = torch.arange(len(y)) if cluster is None else torch.as_tensor(np.array(cluster))
    generator = torch.Generator().manual_seed(seed)
    rows_of = {}
    for row, record in enumerate(groups[sorted(groups)].itertuples(index=False)):
        words = (
            f"{name}={'missing' if value is None or value != value else value}"
            for name, value in zip(sorted(groups), record)
        )
        rows_of.setdefault(" & ".join(words), []).append(row)
    table = []
    for name in sorted(rows_of):
        rows = torch.tensor(rows_of[name])
        who, number = torch.unique(patient[rows], return_inverse=True)
        line = dict.fromkeys(REPORT_COLUMNS, float("nan"))
        line |= {"group": name, "n": len(rows), "patients": len(who), "status": "insufficient"}
        if len(who) >= min_n:
            drawn = torch.randint(len(who), (B, len(who)), generator=generator)
            times = torch.zeros(B, len(who), dtype=torch.float64)
            times.scatter_add_(1, drawn, torch.ones_like(times))
            weight = torch.cat([torch.ones(1, len(rows), dtype=torch.float64), times[:, number]])
            found = rates(y[rows], p[rows], (p[rows] >= thr).double(), weight)
            ends = torch.nanquantile(found[1:], torch.tensor([0.025, 0.975]).double(), dim=0)
            line["status"] = "ok"
            for metric, value, low, high in zip(METRICS, *torch.vstack([found[:1], ends]).tolist()):
                line |= {metric: value, f"{metric}_lo": low, f"{metric}_hi": high}
        table.append(line)
    return pd.DataFrame(table, columns=REPORT_COLUMNS)


# %% q3
def gap(report, metric):
    rows = report[report["status"] == "ok"].reset_index(drop=True)
    values = torch.tensor(rows[[metric, f"{metric}_lo", f"{metric}_hi"]].to_numpy(float))
    keep = ~values[:, 0].isnan()
    if keep.sum() < 2:
        return {"high": None, "low": None, **dict.fromkeys(("gap", "lo", "hi"), float("nan"))} | {
            "claim": False
        }
    top = int(torch.where(keep, values[:, 0], -torch.inf).argmax())
    bottom = int(torch.where(keep, values[:, 0], torch.inf).argmin())
    (a, a_lo, a_hi), (b, b_lo, b_hi) = values[top], values[bottom]
    lo = a - b - torch.hypot(a - a_lo, b_hi - b)
    hi = a - b + torch.hypot(a_hi - a, b - b_lo)
    return {
        "high": rows["group"][top],
        "low": rows["group"][bottom],
        "gap": (a - b).item(),
        "lo": lo.item(),
        "hi": hi.item(),
        "claim": (lo > 0).item(),
    }


def ranges(flagged, codes):
    """Range over groups of the share of flagged rows; ``codes`` [B, N] gives B answers."""
    count = int(codes.max()) + 1 if codes.numel() else 0
    if count < 2:
        return torch.zeros(len(codes), dtype=torch.float64)
    zeros = torch.zeros(len(codes), count, dtype=torch.float64)
    hits = zeros.scatter_add(1, codes, flagged.expand(codes.shape))
    sizes = zeros.scatter_add(1, codes, torch.ones(codes.shape, dtype=torch.float64))
    share = hits / sizes
    return share.amax(dim=1) - share.amin(dim=1)


def as_codes(groups):
    """Numbers of groups that are there, from 0."""
    return torch.as_tensor(np.unique(np.asarray(groups), return_inverse=True)[1]).reshape(1, -1)


def equalised_odds_difference(y, flagged, groups):
    y, flagged = torch.as_tensor(np.array(y)), torch.as_tensor(np.array(flagged, dtype=float))
    names = np.asarray(groups)
    return max(
        ranges(flagged[y == label], as_codes(names[(y == label).numpy()])).item()
        for label in (0, 1)
    )


def permutation_p(y, flagged, groups, metric="tpr", B=999, seed=0):
    y, flagged = np.array(y), torch.as_tensor(np.array(flagged, dtype=float))
    try:
        rows = {"tpr": y == 1, "fpr": y == 0, "rate": y == y}[metric]
    except KeyError:
        raise ValueError(f"unknown metric {metric}") from None
    codes = as_codes(np.asarray(groups)[rows])
    flagged = flagged[torch.as_tensor(rows)]
    noise = torch.rand(B, codes.shape[1], generator=torch.Generator().manual_seed(seed))
    null = ranges(flagged, codes[0][noise.argsort(dim=1)])
    return (1 + (null >= ranges(flagged, codes) - 1e-9).sum().item()) / (B + 1)


# %% q4
def bin_of(p, bins, strategy):
    """Number of the bin of each probability."""
    inner = torch.arange(1, bins, dtype=torch.float64) / bins
    return torch.bucketize(p, inner if strategy == "width" else p.quantile(inner), right=True)


def ece(y, p, bins=10, strategy="width"):
    y, p = (torch.as_tensor(np.array(v, dtype=float)) for v in (y, p))
    error = torch.zeros(bins, dtype=torch.float64)
    error.index_add_(0, bin_of(p, bins, strategy), y - p)
    return error.abs().sum().item() / len(p)


def brier_decomposition(y, p, bins=10):
    y, p = (torch.as_tensor(np.array(v, dtype=float)) for v in (y, p))
    member = torch.nn.functional.one_hot(bin_of(p, bins, "width"), bins).double()
    n = member.sum(dim=0)
    used = n > 0
    mean_y, mean_p = (member.T @ y)[used] / n[used], (member.T @ p)[used] / n[used]
    share = n[used] / len(y)
    parts = {
        "brier": torch.nn.functional.mse_loss(p, y),
        "reliability": (share * (mean_p - mean_y).square()).sum(),
        "resolution": (share * (mean_y - y.mean()).square()).sum(),
        "uncertainty": y.var(correction=0),
    }
    found = {name: value.item() for name, value in parts.items()}
    rest = found["brier"] - found["reliability"] + found["resolution"] - found["uncertainty"]
    return found | {"within": rest}


# %% q4
def fit_temperature(logits, y):
    """L-BFGS over log T, from where a coarse grid has the least loss."""
    z, y = (torch.as_tensor(np.array(v, dtype=float)) for v in (logits, y))

    def loss(log_t):
        return torch.nn.functional.binary_cross_entropy_with_logits(z / log_t.exp(), y)

    grid = torch.linspace(np.log(0.02), np.log(50), 80).double()
    log_t = grid[torch.stack([loss(one) for one in grid]).argmin()].clone().requires_grad_()
    optimiser = torch.optim.LBFGS([log_t], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        value = loss(log_t)
        value.backward()
        return value

    optimiser.step(closure)
    return log_t.detach().exp().clamp(0.02, 50).item()


def ece_null(p, B=500, seed=0, bins=10, strategy="width"):
    p = torch.as_tensor(np.array(p, dtype=float))
    generator = torch.Generator().manual_seed(seed)
    y = torch.bernoulli(p.expand(B, -1), generator=generator)
    sums = torch.zeros(B, bins, dtype=torch.float64)
    sums.index_add_(1, bin_of(p, bins, strategy), y - p)
    return (sums.abs().sum(dim=1) / len(p)).numpy()


# %% q4
temperature = fit_temperature(val.meta["overtrained_logit"], val.y)


# %% q5
def shortcut_report(predict, X, y, edits, margin=0.1, alpha=0.05):
    y = torch.as_tensor(np.array(y)).bool()
    n = len(y)
    if n < 2 or len(X) != n or any(len(part) != n for pair in edits.values() for part in pair):
        raise ValueError("X, y and both parts of each edit need the same number of rows, 2 or more")

    def ask(images):
        return torch.as_tensor(np.array(predict(images), dtype=float))

    def auc(scores):
        higher = torch.sign(scores[y][:, None] - scores[~y])
        return (higher.mean() / 2 + 0.5).item() if higher.numel() else float("nan")

    quantile = float(stats.t.isf(alpha / 2, df=n - 1))
    found = {}
    for name, (off, on) in edits.items():
        without, with_it = ask(off), ask(on)
        d = with_it - without
        sd, delta = torch.std_mean(d)
        lo, hi = ((delta + side * quantile * sd / n**0.5).item() for side in (-1, 1))
        worst = min(auc(torch.where(y, without, with_it)), auc(torch.where(y, with_it, without)))
        found[name] = {"delta": delta.item(), "lo": lo, "hi": hi, "auc_against": worst}
        found[name]["flag"] = lo > margin or hi < -margin
    return {"auc": auc(ask(X)), "edits": found}


# %% q6
def integrated_gradients(model, x, x0, steps=64):
    """All points of the line in one batch."""
    way = x - x0
    parts = ((torch.arange(steps, dtype=x.dtype) + 0.5) / steps).reshape(-1, *[1] * x.dim())
    points = (x0 + parts * way).flatten(0, 1).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model(points).sum(), points)
    return (way * gradient.reshape(steps, *x.shape).mean(dim=0)).detach()


def saliency_sanity(model, explainer, x, seed=0):
    """Destroys the model itself and puts everything back."""
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()

    def ranks(maps):
        flat = maps.detach().abs().flatten(1).double()
        return torch.stack(
            [
                torch.searchsorted(s, r, side="left") + torch.searchsorted(s, r, side="right")
                for s, r in zip(flat.sort(dim=1)[0], flat)
            ]
        ).double()

    def correlation(a, b):
        a, b = (v - v.mean(dim=1, keepdim=True) for v in (a, b))
        scale = a.norm(dim=1) * b.norm(dim=1)
        return torch.where(scale > 0, (a * b).sum(dim=1) / scale, 0.0).mean().item()

    try:
        before, found = ranks(explainer(model, x)), {}
        torch.manual_seed(seed)
        for name, layer in reversed(list(model.named_modules())):
            if len(list(layer.parameters(recurse=False))) and hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
                found[name] = correlation(before, ranks(explainer(model, x)))
    finally:
        model.load_state_dict(kept)
        torch.set_rng_state(random_state)
    return {"layers": found, "flag": sum(found.values()) > 0.5 * len(found)}


# %% q7
def net_benefit(y, p, t):
    y, p, t = (torch.as_tensor(np.array(v, dtype=float)) for v in (y, p, t))
    if ((t < 0) | (t >= 1)).any():
        raise ValueError("a threshold is not in [0, 1)")
    acted = p >= t[..., None]
    return (acted * torch.where(y == 1, 1, -(t / (1 - t))[..., None])).mean(dim=-1)


def recalibrate_prevalence(p, pi0, pi1):
    if not (0 < pi0 < 1 and 0 < pi1 < 1):
        raise ValueError("a prevalence is not in (0, 1)")
    p, before, after = (torch.as_tensor(np.array(v, dtype=float)) for v in (p, pi0, pi1))
    return torch.sigmoid(torch.logit(p) + torch.logit(after) - torch.logit(before))
