"""Counts in place of rows: multinomial weights, hypergeometric tables, binomial draws."""


# %% q2
def subgroup_report(y, p, groups, thr, B=200, seed=0, min_n=30, cluster=None):
    y, p = np.asarray(y, int), np.asarray(p, float)
    clusters = range(len(y)) if cluster is None else cluster
    members, order = {}, sorted(groups.columns)
    for row, values in enumerate(zip(*(groups[name] for name in order))):
        shown = ["missing" if v is None or v != v else v for v in values]
        key = " & ".join("{}={}".format(*pair) for pair in zip(order, shown))
        members.setdefault(key, {}).setdefault(clusters[row], []).append(row)
    rng, out = np.random.default_rng(seed), {c: [] for c in REPORT_COLUMNS}
    for key in sorted(members):
        patients = members[key]
        rows = [row for own in patients.values() for row in own]
        owner = [number for number, own in enumerate(patients.values()) for _ in own]
        enough = len(patients) >= min_n
        for name, value in zip(
            REPORT_COLUMNS, (key, len(rows), len(patients), "ok" if enough else "insufficient")
        ):
            out[name].append(value)
        values = np.full((3, len(METRICS)), np.nan)
        if enough:
            k = len(patients)
            times = np.vstack([np.ones(k, int), rng.multinomial(k, np.full(k, 1 / k), size=B)])
            samples = tally(y[rows], p[rows], thr, times[:, owner])
            values[0] = samples[0]
            for column, sample in enumerate(samples[1:].T):
                sample = sample[np.isfinite(sample)]
                if sample.size:
                    values[1:, column] = np.percentile(sample, [2.5, 97.5])
        for metric, (value, low, high) in zip(METRICS, values.T):
            out[metric].append(value)
            out[f"{metric}_lo"].append(low)
            out[f"{metric}_hi"].append(high)
    return pd.DataFrame(out)


def tally(y, p, thr, times):
    """Metrics [B, 6] of rows counted ``times`` [B, N]."""
    order = np.argsort(p)
    y, p, times = y[order], p[order], times[:, order]
    starts = np.flatnonzero(np.r_[True, p[1:] > p[:-1]])
    ill, well = (np.add.reduceat(times * (y == k), starts, axis=1) for k in (1, 0))
    wins = (ill * (2 * np.cumsum(well, axis=1) - well)).sum(axis=1) / 2
    first = np.searchsorted(p[starts], thr, side="left")
    tp, fp = ill[:, first:].sum(axis=1), well[:, first:].sum(axis=1)
    pos, neg = ill.sum(axis=1), well.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.transpose(
            [
                pos / (pos + neg),
                wins / (pos * neg),
                tp / pos,
                (pos - tp) / pos,
                fp / neg,
                tp / (tp + fp),
            ]
        )


# %% q3
def gap(report, metric):
    keep = [
        (row[metric], number)
        for number, row in enumerate(report.to_dict("records"))
        if row["status"] == "ok" and row[metric] == row[metric]
    ]
    if len(keep) < 2:
        return {
            "high": None,
            "low": None,
            "gap": np.nan,
            "lo": np.nan,
            "hi": np.nan,
            "claim": False,
        }
    top, bottom = report.iloc[max(keep)[1]], report.iloc[min(keep)[1]]
    d = top[metric] - bottom[metric]
    down = complex(top[metric] - top[metric + "_lo"], bottom[metric + "_hi"] - bottom[metric])
    up = complex(top[metric + "_hi"] - top[metric], bottom[metric] - bottom[metric + "_lo"])
    answer = {"high": top["group"], "low": bottom["group"], "gap": d}
    return answer | {"lo": d - abs(down), "hi": d + abs(up), "claim": bool(d > abs(down))}


def count(flagged, groups):
    names = sorted(set(groups))
    size = np.array([sum(g == name for g in groups) for name in names])
    hits = np.array([sum(f for f, g in zip(flagged, groups) if g == name) for name in names])
    return size, hits


def equalised_odds_difference(y, flagged, groups):
    worst = 0.0
    for label in (0, 1):
        kept = [(int(f), g) for true, f, g in zip(y, flagged, groups) if true == label]
        if len({g for _, g in kept}) > 1:
            size, hits = count(*zip(*kept))
            worst = max(worst, float(np.ptp(hits / size)))
    return worst


def permutation_p(y, flagged, groups, metric="tpr", B=999, seed=0):
    """Shuffling names gives numbers of flagged rows a hypergeometric distribution."""
    wanted = {"tpr": [1], "fpr": [0], "rate": [0, 1]}.get(metric)
    if wanted is None:
        raise ValueError(f"no such metric: {metric}")
    kept = [(int(f), g) for true, f, g in zip(y, flagged, groups) if true in wanted]
    if len({g for _, g in kept}) < 2:
        return 1.0
    size, hits = count(*zip(*kept))
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_hypergeometric(size, hits.sum(), size=B)
    return float(
        (1 + (np.ptp(drawn / size, axis=1) >= np.ptp(hits / size) - 1e-10).sum()) / (B + 1)
    )


# %% q4
def sums_by_bin(p, bins, strategy):
    """Edges between bins and, of each different probability, its bin and how often it occurs."""
    values, times = np.unique(np.asarray(p, float), return_counts=True)
    inner = [k / bins for k in range(1, bins)]
    if strategy == "mass":
        inner = np.quantile(np.asarray(p, float), inner)
    return values, times, np.searchsorted(inner, values, side="right")


def ece(y, p, bins=10, strategy="width"):
    values, times, number = sums_by_bin(p, bins, strategy)
    ill = np.bincount(np.searchsorted(values, np.asarray(p, float)), np.asarray(y, float))
    return float(np.abs(np.bincount(number, ill - times * values)).sum() / len(p))


def brier_decomposition(y, p, bins=10):
    values, times, number = sums_by_bin(p, bins, "width")
    ill = np.bincount(np.searchsorted(values, np.asarray(p, float)), np.asarray(y, float))
    n = times.sum()
    total = np.bincount(number, times, bins)
    mean_y = np.bincount(number, ill, bins) / np.where(total, total, 1)
    mean_p = np.bincount(number, times * values, bins) / np.where(total, total, 1)
    base = ill.sum() / n
    brier = (ill * (1 - values) ** 2 + (times - ill) * values**2).sum() / n
    reliability = (total * (mean_p - mean_y) ** 2).sum() / n
    resolution = (total * (mean_y - base) ** 2).sum() / n
    within = brier - reliability + resolution - base * (1 - base)
    names = ("brier", "reliability", "resolution", "uncertainty", "within")
    return dict(zip(names, (brier, reliability, resolution, base * (1 - base), within)))


def fit_temperature(logits, y):
    """Newton's method for b = 1 / T, halving steps that raise the loss."""
    z, y, b = np.asarray(logits, float), np.asarray(y, float), 0.1

    def loss(b):
        return np.logaddexp(0, b * z).sum() - b * (y @ z)

    for _ in range(200):
        p = 0.5 * (1 + np.tanh(0.5 * b * z))
        step = ((p - y) @ z) / max((p * (1 - p)) @ (z * z), 1e-12)
        while not 0.02 <= b - step <= 50 or loss(b - step) > loss(b) + 1e-9:
            step /= 2
            if abs(step) < 1e-13:
                break
        if abs(step) < 1e-12:
            break
        b -= step
    return float(min(max(1 / b, 0.02), 50.0))


def ece_null(p, B=500, seed=0, bins=10, strategy="width"):
    values, times, number = sums_by_bin(p, bins, strategy)
    ill = np.random.default_rng(seed).binomial(times, values, size=(B, len(values)))
    member = np.eye(bins)[number]
    return np.abs((ill - times * values) @ member).sum(axis=1) / times.sum()


temperature = fit_temperature(val.meta["overtrained_logit"], val.y)


# %% q5
def shortcut_report(predict, X, y, edits, margin=0.1, alpha=0.05):
    """Intervals by hand from sums of squares; AUC by bisection into a sorted list."""
    from bisect import bisect_left, bisect_right

    n = len(y)

    def ask(images):
        if n < 2:
            raise ValueError("one lesion has no interval")
        if len(images) != n:
            raise ValueError(f"expected {n} images, got {len(images)}")
        return [float(v) for v in predict(images)]

    def auc(scores):
        well = sorted(s for s, label in zip(scores, y) if label == 0)
        ill = [s for s, label in zip(scores, y) if label == 1]
        if not well or not ill:
            return float("nan")
        wins = sum(bisect_left(well, s) + bisect_right(well, s) for s in ill)
        return wins / (2 * len(well) * len(ill))

    out = {"auc": auc(ask(X)), "edits": {}}
    for name in edits:
        off, on = map(ask, edits[name])
        d = [b - a for a, b in zip(off, on)]
        delta = sum(d) / n
        error = (sum((v - delta) ** 2 for v in d) / (n - 1) / n) ** 0.5
        half = -float(stats.t.ppf(alpha / 2, n - 1)) * error
        mixed = [
            [pair[label] for pair, label in zip(zip(*order), y)] for order in ((off, on), (on, off))
        ]
        out["edits"][name] = {
            "delta": delta, "lo": delta - half, "hi": delta + half,
            "flag": delta - half > margin or delta + half < -margin,
            "auc_against": min(auc(scores) for scores in mixed),
        }  # fmt: skip
    return out


# %% q7
def net_benefit(y, p, t):
    if np.ndim(t) == 0:
        t = float(t)
        if not 0 <= t < 1:
            raise ValueError(f"{t} is no threshold")
        y, acted = np.asarray(y), np.asarray(p) >= t
        return (
            np.count_nonzero(acted & (y == 1)) - np.count_nonzero(acted & (y == 0)) * t / (1 - t)
        ) / len(y)
    return np.array([net_benefit(y, p, one) for one in t])


def recalibrate_prevalence(p, pi0, pi1):
    if not (0 < pi0 < 1 and 0 < pi1 < 1):
        raise ValueError("a prevalence of 0 or 1 has no odds")
    p = np.asarray(p, float)
    ratio_ill, ratio_well = pi1 / pi0, (1 - pi1) / (1 - pi0)
    return 1 - (1 - p) * ratio_well / (p * ratio_ill + (1 - p) * ratio_well)
