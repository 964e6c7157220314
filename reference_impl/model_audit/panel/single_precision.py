"""Everything in NumPy's float32; comparisons with a threshold in the precision that is given."""


# %% q2
def subgroup_report(y, p, groups, thr, B=200, seed=0, min_n=30, cluster=None):
    y, p = np.asarray(y), np.asarray(p)
    flagged = p >= thr
    rank_of = np.unique(p, return_inverse=True)[1]
    names = sorted(groups.columns)
    words = [[("missing" if pd.isna(v) else str(v)) for v in groups[name]] for name in names]
    keys = np.array([" & ".join(map("=".join, zip(names, row))) for row in zip(*words)], object)
    who = np.arange(len(y)) if cluster is None else np.asarray(cluster)
    rng = np.random.default_rng(seed)

    def metrics(rows):
        label, act, rank = y[rows] == 1, flagged[rows], rank_of[rows]
        pos, neg = np.float32(label.sum()), np.float32((~label).sum())
        tp, fp = np.float32((label & act).sum()), np.float32((act & ~label).sum())
        well, ill = np.sort(rank[~label]), rank[label]
        wins = np.searchsorted(well, ill, "left") + np.searchsorted(well, ill, "right")
        with np.errstate(invalid="ignore", divide="ignore"):
            auc = np.float32(wins.sum()) / (2 * pos * neg)
            return np.array(
                [pos / (pos + neg), auc, tp / pos, (pos - tp) / pos, fp / neg, tp / (tp + fp)],
                np.float32,
            )

    lines = []
    for key in sorted(set(keys)):
        rows = np.flatnonzero(keys == key)
        own = [rows[who[rows] == one] for one in dict.fromkeys(who[rows].tolist())]
        if len(own) < min_n:
            lines.append([key, len(rows), len(own), "insufficient", *[np.float32("nan")] * 18])
            continue
        drawn = np.stack(
            [
                metrics(np.concatenate([own[k] for k in rng.choice(len(own), len(own))]))
                for _ in range(B)
            ]
        )
        ends = [
            np.quantile(column[~np.isnan(column)], [0.025, 0.975]).astype(np.float32)
            if (~np.isnan(column)).any()
            else np.full(2, np.nan, np.float32)
            for column in drawn.T
        ]
        lines.append([key, len(rows), len(own), "ok", *metrics(rows), *np.concatenate(ends)])
    return pd.DataFrame(lines, columns=REPORT_COLUMNS)


# %% q3
def gap(report, metric):
    columns = [metric, f"{metric}_lo", f"{metric}_hi"]
    known = report[(report["status"] == "ok").to_numpy() & report[metric].notna().to_numpy()]
    if len(known) < 2:
        nan = np.float32("nan")
        return {"high": None, "low": None, "gap": nan, "lo": nan, "hi": nan, "claim": False}
    values = known[columns].to_numpy(np.float32)
    top, bottom = values[:, 0].argmax(), values[:, 0].argmin()
    (a, a_lo, a_hi), (b, b_lo, b_hi) = values[top], values[bottom]
    lo = a - b - np.sqrt((a - a_lo) ** 2 + (b_hi - b) ** 2)
    hi = a - b + np.sqrt((a_hi - a) ** 2 + (b - b_lo) ** 2)
    names = known["group"].tolist()
    return {
        "high": names[top], "low": names[bottom], "gap": a - b, "lo": lo, "hi": hi,
        "claim": bool(lo > 0),
    }  # fmt: skip


def spread(flagged, names):
    shares = [flagged[names == name].mean(dtype=np.float32) for name in np.unique(names)]
    return np.ptp(np.array(shares, np.float32)) if shares else np.float32(0)


def equalised_odds_difference(y, flagged, groups):
    y, flagged, names = np.asarray(y), np.asarray(flagged), np.asarray(groups)
    return max(spread(flagged[y == k], names[y == k]) for k in (0, 1))


def permutation_p(y, flagged, groups, metric="tpr", B=999, seed=0):
    if metric not in ("tpr", "fpr", "rate"):
        raise ValueError(f"metric {metric!r}")
    y, flagged, names = np.asarray(y), np.asarray(flagged), np.asarray(groups)
    rows = np.ones(len(y), bool) if metric == "rate" else y == (1 if metric == "tpr" else 0)
    flagged, names = flagged[rows], names[rows]
    rng = np.random.RandomState(seed)
    seen = spread(flagged, names) - np.float32(1e-6)
    count = sum(spread(flagged[rng.permutation(len(flagged))], names) >= seen for _ in range(B))
    return np.float32(1 + count) / np.float32(B + 1)


# %% q4
def place(p, bins, strategy):
    p = np.asarray(p)
    cuts = np.arange(1, bins) / bins
    return np.digitize(p, cuts if strategy == "width" else np.quantile(p, cuts))


def ece(y, p, bins=10, strategy="width"):
    number = place(p, bins, strategy)
    y, p = np.asarray(y, np.float32), np.asarray(p, np.float32)
    parts = [
        np.abs(y[number == k].mean() - p[number == k].mean()) * np.float32((number == k).mean())
        for k in np.unique(number)
    ]
    return np.float32(sum(parts))


def brier_decomposition(y, p, bins=10):
    number = place(p, bins, "width")
    y, p = np.asarray(y, np.float32), np.asarray(p, np.float32)
    reliability = resolution = np.float32(0)
    for k in np.unique(number):
        share = np.float32((number == k).mean())
        reliability += share * (p[number == k].mean() - y[number == k].mean()) ** 2
        resolution += share * (y[number == k].mean() - y.mean()) ** 2
    brier, uncertainty = ((p - y) ** 2).mean(), y.mean() * (1 - y.mean())
    return {
        "brier": brier, "reliability": reliability, "resolution": resolution,
        "uncertainty": uncertainty, "within": brier - reliability + resolution - uncertainty,
    }  # fmt: skip


def fit_temperature(logits, y):
    """Bisection for the root of the slope in b = 1 / T; sums in float64, the answer in float32."""
    z, y = np.asarray(logits, np.float32), np.asarray(y, np.float32)
    low, high = 0.02, 50.0
    for _ in range(40):
        b = np.sqrt(low * high)
        p = 0.5 + 0.5 * np.tanh(np.float32(b / 2) * z)
        slope = np.sum((p - y) * z, dtype=np.float64)
        low, high = (b, high) if slope < 0 else (low, b)
    return np.float32(1 / np.sqrt(low * high))


def ece_null(p, B=500, seed=0, bins=10, strategy="width"):
    number = place(p, bins, strategy)
    p, rng = np.asarray(p, np.float32), np.random.default_rng(seed)
    member = (number[:, None] == np.arange(bins)).astype(np.float32)
    error = (rng.random((B, len(p)), dtype=np.float32) < p).astype(np.float32) - p
    return (np.abs(error @ member).sum(axis=1) / len(p)).astype(np.float64)


temperature = fit_temperature(val.meta["overtrained_logit"], val.y)


# %% q5
def shortcut_report(predict, X, y, edits, margin=0.1, alpha=0.05):
    y = np.asarray(y)
    everything = [X, *(part for pair in edits.values() for part in pair)]
    if len(y) < 2 or {len(images) for images in everything} != {len(y)}:
        raise ValueError("numbers of rows differ, or there are fewer than two")

    def auc(scores):
        if len(set(y.tolist())) < 2:
            return np.float32("nan")
        ranks = stats.rankdata(scores)[y == 1]
        pos, neg = len(ranks), len(y) - len(ranks)
        return np.float32((ranks.sum() - pos * (pos + 1) / 2) / (pos * neg))

    def one(off, on):
        off, on = (np.asarray(predict(v), np.float32) for v in (off, on))
        d = on - off
        delta = d.mean()
        half = np.float32(stats.t.ppf(1 - alpha / 2, len(d) - 1)) * d.std(ddof=1)
        half = half / np.float32(len(d)) ** 0.5
        against = [auc(np.where(y == k, off, on)) for k in (0, 1)]
        return {
            "delta": delta, "lo": delta - half, "hi": delta + half,
            "flag": abs(delta) - half > margin, "auc_against": min(against),
        }  # fmt: skip

    found = {name: one(*pair) for name, pair in edits.items()}
    return {"auc": auc(np.asarray(predict(X), np.float32)), "edits": found}


# %% q6
def integrated_gradients(model, x, x0, steps=64):
    x, x0 = x.detach().float(), x0.detach().float()
    total = torch.zeros_like(x)
    for k in range(1, steps + 1):
        point = x0 + (k - 0.5) / steps * (x - x0)
        point.requires_grad = True
        total = total + torch.autograd.grad(list(model(point)), point)[0]
    return (total / steps * (x - x0)).float()


def saliency_sanity(model, explainer, x, seed=0):
    import copy

    from scipy.stats import rankdata

    def similar(one, other):
        values = []
        for a, b in zip(one, other):
            a, b = (rankdata(v.abs().numpy(), axis=None).astype(np.float32) for v in (a, b))
            a, b = a - a.mean(), b - b.mean()
            size = np.sqrt(a @ a) * np.sqrt(b @ b)
            values.append(a @ b / size if size > 0 else np.float32(0))
        return np.mean(values, dtype=np.float32)

    first = explainer(model, x).detach()
    layers = [
        name
        for name, part in model.named_modules()
        if hasattr(part, "reset_parameters") and part._parameters
    ][::-1]
    found = {}
    for depth in range(1, len(layers) + 1):  # a new copy each time, and all its layers so far
        victim = copy.deepcopy(model)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            for name in layers[:depth]:
                victim.get_submodule(name).reset_parameters()
        found[layers[depth - 1]] = similar(first, explainer(victim, x).detach())
    return {"layers": found, "flag": bool(np.mean(list(found.values())) > 0.5)}


# %% q7
def net_benefit(y, p, t):
    thresholds = np.asarray(t)
    if np.any(thresholds < 0) or np.any(thresholds >= 1):
        raise ValueError("threshold outside of [0, 1)")
    y, p = np.asarray(y), np.asarray(p)
    answer = np.empty(thresholds.shape, np.float32)
    for place_, one in np.ndenumerate(thresholds):
        tp, fp = ((p >= one) & (y == 1)).sum(), ((p >= one) & (y == 0)).sum()
        odds = np.float32(one) / (1 - np.float32(one))
        answer[place_] = np.float32(tp) / len(y) - np.float32(fp) / len(y) * odds
    return answer


def recalibrate_prevalence(p, pi0, pi1):
    if min(pi0, pi1, 1 - pi0, 1 - pi1) <= 0:
        raise ValueError("prevalence outside of (0, 1)")
    p, a, b = np.asarray(p, np.float32), np.float32(pi0), np.float32(pi1)
    ill, well = p * b / a, (1 - p) * (1 - b) / (1 - a)
    return ill / (ill + well)


# %% q8
class DriftMonitor:
    """EWMA charts in single precision, limits from days drawn from the reference period."""

    W = np.float32(0.15)

    def __init__(self, ref, arl0=100):
        x, p, y = (np.asarray(ref[name], np.float32) for name in "xpy")
        values = np.column_stack([x, p])
        self.centre, self.scale = values.mean(axis=0), values.std(axis=0)
        error = (y - p) / np.sqrt(np.mean(p * (1 - p)))
        every = np.column_stack([(values - self.centre) / self.scale, error])
        rng, days, runs, m = np.random.default_rng(11), int(5 * arl0), 150, 30
        chart = np.zeros((runs, every.shape[1]), np.float32)
        peak = np.zeros((days, runs), np.float32)
        for day in range(days):
            z = every[rng.integers(len(every), size=(runs, m))].mean(axis=1) * np.float32(m**0.5)
            chart += self.W * (z - chart)
            peak[day] = np.abs(chart).max(axis=1)
        peak = np.maximum.accumulate(peak, axis=0)
        low, high = 0.0, float(peak.max())
        for _ in range(30):
            middle = (low + high) / 2
            over = peak[-1] > middle
            quiet = (peak <= middle).sum() + over.sum()
            low, high = (middle, high) if quiet < 1.3 * arl0 * max(over.sum(), 1) else (low, middle)
        self.limit = np.float32(high)
        self.chart = np.zeros(every.shape[1], np.float32)
        self.days = []

    def update(self, x, p, late=None):
        p = np.asarray(p, np.float32)
        values = np.column_stack([np.asarray(x, np.float32), p])
        z = (values.mean(axis=0) - self.centre) / self.scale * np.float32(len(p)) ** 0.5
        self.chart[:-1] += self.W * (z - self.chart[:-1])
        self.days.append(p)
        if late is not None:
            day, y = late
            if not 0 <= day < len(self.days) or self.days[day] is None:
                raise ValueError(f"outcomes of day {day} cannot be told")
            then, self.days[day] = self.days[day], None
            z = (np.asarray(y, np.float32) - then).sum() / np.sqrt((then * (1 - then)).sum())
            self.chart[-1] += self.W * (z - self.chart[-1])
        return np.abs(self.chart).max() > self.limit
