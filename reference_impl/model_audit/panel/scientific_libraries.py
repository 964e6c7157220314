"""scikit-learn, SciPy and pandas wherever they have the thing: areas, tables, permutation tests."""

# %% q1
from pandas.api.types import is_numeric_dtype
from sklearn.metrics import roc_auc_score


def find_leaks(df, target, index_time, dictionary):
    labels = df[target].astype(int)

    def extreme(scores, rows, bound):
        if labels[rows].nunique() < 2:
            return False
        auc = roc_auc_score(labels[rows], scores[rows].astype(float))
        return auc >= bound or auc <= 1 - bound

    texts = [name for name in df if not is_numeric_dtype(df[name]) and df[name].nunique() <= 50]
    means = {name: labels.groupby(df[name], dropna=False).transform("mean") for name in texts}
    everyone = pd.Series(True, index=df.index)

    def reason(name):
        column, entry = df[name], dictionary.get(name)
        if entry and entry["known"] > index_time:
            return "after"
        there = column.notna()
        if is_numeric_dtype(column):
            if entry and entry["kind"] == "moment" and (column > index_time).any():
                return "future"
            if extreme(column, there, 0.98):
                return "copy"
            if there.all() and column.nunique() > 1:
                if any(np.allclose(column, mean, rtol=0, atol=1e-6) for mean in means.values()):
                    return "encoding"
            some = column.dropna().astype(float)
            if some.is_unique and (some % 1 == 0).all() and extreme(column, there, 0.6):
                return "order"
        return "missing" if extreme(~there, everyone, 0.75) else ""

    return [(name, why) for name in df.columns.drop(target) if (why := reason(name))]


# %% q2
from sklearn.metrics import confusion_matrix, roc_auc_score


def measured(y, p, thr):
    tn, fp, fn, tp = (int(v) for v in confusion_matrix(y, p >= thr, labels=[0, 1]).ravel())
    share = lambda a, b: a / b if b else float("nan")
    return [
        float(np.mean(y)),
        roc_auc_score(y, p) if 0 < y.sum() < len(y) else float("nan"),
        share(tp, tp + fn),
        share(fn, fn + tp),
        share(fp, fp + tn),
        share(tp, tp + fp),
    ]


def subgroup_report(y, p, groups, thr, B=200, seed=0, min_n=30, cluster=None):
    table = pd.DataFrame({"y": np.asarray(y), "p": np.asarray(p)})
    table["who"] = np.arange(len(table)) if cluster is None else np.asarray(cluster)
    words = groups.reset_index(drop=True).sort_index(axis=1)
    words = words.astype(object).where(words.notna(), "missing")
    table["group"] = words.apply(lambda row: " & ".join(f"{k}={v}" for k, v in row.items()), axis=1)
    rng = np.random.default_rng(seed)
    lines = []
    for group, own in table.groupby("group", sort=True):
        line = pd.Series(np.nan, index=REPORT_COLUMNS, dtype=object)
        line["group"], line["n"], line["patients"] = group, len(own), own.who.nunique()
        line["status"] = "ok" if own.who.nunique() >= min_n else "insufficient"
        if line["status"] == "ok":
            labels, scores = own.y.to_numpy(), own.p.to_numpy()
            line[list(METRICS)] = measured(labels, scores, thr)
            rows = list(own.reset_index(drop=True).groupby("who").indices.values())
            drawn = np.array(
                [
                    measured(labels[chosen], scores[chosen], thr)
                    for chosen in (
                        np.concatenate([rows[k] for k in rng.integers(len(rows), size=len(rows))])
                        for _ in range(B)
                    )
                ]
            )
            for metric, values in zip(METRICS, drawn.T):
                values = values[~np.isnan(values)]
                if len(values):
                    line[f"{metric}_lo"], line[f"{metric}_hi"] = np.percentile(values, [2.5, 97.5])
        lines.append(line)
    return pd.DataFrame(lines).infer_objects().reset_index(drop=True)


# %% q3
import scipy.stats


def gap(report, metric):
    kept = report.loc[report.status.eq("ok")].dropna(subset=metric).set_index("group")
    if len(kept) < 2:
        return {
            "high": None,
            "low": None,
            "gap": np.nan,
            "lo": np.nan,
            "hi": np.nan,
            "claim": False,
        }
    high, low = kept[metric].idxmax(), kept[metric].idxmin()
    a, b = kept.loc[high], kept.loc[low]
    down = np.linalg.norm([a[metric] - a[f"{metric}_lo"], b[f"{metric}_hi"] - b[metric]])
    up = np.linalg.norm([a[f"{metric}_hi"] - a[metric], b[metric] - b[f"{metric}_lo"]])
    d = a[metric] - b[metric]
    return {"high": high, "low": low, "gap": d, "lo": d - down, "hi": d + up, "claim": d - down > 0}


def equalised_odds_difference(y, flagged, groups):
    shares = (
        pd.DataFrame({"y": y, "flagged": flagged, "g": groups}).groupby(["y", "g"]).flagged.mean()
    )
    ranges = shares.groupby("y").agg(lambda s: s.max() - s.min())
    return float(ranges.max())


def permutation_p(y, flagged, groups, metric="tpr", B=999, seed=0):
    if metric not in {"tpr", "fpr", "rate"}:
        raise ValueError(f"unknown metric: {metric}")
    y, flagged = np.asarray(y), np.asarray(flagged, dtype=float)
    rows = np.full(len(y), True) if metric == "rate" else y == int(metric == "tpr")
    codes, names = pd.factorize(np.asarray(groups)[rows])
    if len(names) < 2:
        return 1.0
    member = np.eye(len(names))[codes] / np.bincount(codes)  # [rows, groups]

    def spread(decisions, axis=-1):
        return np.ptp(np.moveaxis(decisions, axis, -1) @ member, axis=-1)

    found = scipy.stats.permutation_test(
        (flagged[rows],),
        lambda decisions, axis=-1: np.round(spread(decisions, axis), 12),
        permutation_type="pairings",
        vectorized=True,
        n_resamples=B,
        alternative="greater",
        rng=np.random.default_rng(seed),
    )
    null = np.atleast_1d(found.null_distribution)
    return float((1 + (null >= found.statistic).sum()) / (len(null) + 1))


# %% q4
from scipy.optimize import brentq
from scipy.special import expit


def binned(p, bins, strategy):
    p = np.asarray(p, dtype=float)
    edges = (
        np.arange(bins + 1) / bins
        if strategy == "width"
        else np.quantile(p, np.arange(bins + 1) / bins)
    )
    return np.digitize(p, edges[1:-1], right=False)


def ece(y, p, bins=10, strategy="width"):
    table = pd.DataFrame({"y": np.asarray(y, float), "p": np.asarray(p, float)})
    groups = table.groupby(binned(p, bins, strategy))
    means = groups.mean()
    return float(((means.y - means.p).abs() * groups.size()).sum() / len(table))


def brier_decomposition(y, p, bins=10):
    from sklearn.metrics import brier_score_loss

    table = pd.DataFrame({"y": np.asarray(y, float), "p": np.asarray(p, float)})
    groups = table.groupby(binned(p, bins, "width"))
    weight, means, base = groups.size() / len(table), groups.mean(), table.y.mean()
    # the remainder within bins, from its own formula
    centred = table - groups.transform("mean")
    within = (centred.p**2).mean() - 2 * (centred.p * centred.y).mean()
    return {
        "brier": float(brier_score_loss(table.y.astype(int), table.p)),
        "reliability": float((weight * (means.p - means.y) ** 2).sum()),
        "resolution": float((weight * (means.y - base) ** 2).sum()),
        "uncertainty": float(base - base**2),
        "within": float(within),
    }


def fit_temperature(logits, y):
    """The root of the slope of the likelihood in 1 / T."""
    z, y = np.asarray(logits, dtype=float), np.asarray(y, dtype=float)

    def slope(beta):
        return np.mean((expit(beta * z) - y) * z)

    if slope(1 / 50) >= 0:
        return 50.0
    if slope(1 / 0.02) <= 0:
        return 0.02
    return 1 / brentq(slope, 1 / 50, 1 / 0.02, xtol=1e-10)


def ece_null(p, B=500, seed=0, bins=10, strategy="width"):
    p = np.asarray(p, dtype=float)
    number = binned(p, bins, strategy)
    member = scipy.sparse.csr_array((np.ones(len(p)), (number, np.arange(len(p)))), (bins, len(p)))
    labels = scipy.stats.bernoulli.rvs(p[None].repeat(B, axis=0), random_state=seed)
    return np.abs(member @ (labels - p).T).sum(axis=0) / len(p)


import scipy.sparse
import scipy.stats

temperature = fit_temperature(val.meta["overtrained_logit"], val.y)


# %% q7
from scipy.special import expit, logit


def net_benefit(y, p, t):
    y, p = np.asarray(y), np.asarray(p, dtype=float)
    t = np.asarray(t, dtype=float)
    if np.any(t < 0) or np.any(t >= 1):
        raise ValueError("a threshold is at least 0 and below 1")
    ill, well = np.sort(p[y == 1]), np.sort(p[y == 0])
    tp = len(ill) - np.searchsorted(ill, t, side="left")
    fp = len(well) - np.searchsorted(well, t, side="left")
    return (tp - fp * t / (1 - t)) / len(y)


def recalibrate_prevalence(p, pi0, pi1):
    if min(pi0, pi1) <= 0 or max(pi0, pi1) >= 1:
        raise ValueError("a prevalence lies between 0 and 1")
    with np.errstate(divide="ignore"):
        return expit(logit(np.asarray(p, dtype=float)) + logit(pi1) - logit(pi0))
