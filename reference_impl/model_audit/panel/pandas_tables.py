"""Frames and group-by everywhere: a long table of resamples, crosstabs, cuts into intervals."""


# %% q1
def find_leaks(df, target, index_time, dictionary):
    table = df.reset_index(drop=True)
    y = table[target].astype(float)
    others = table.drop(columns=target)
    words = pd.DataFrame(dictionary).T.reindex(others.columns)
    late = pd.to_numeric(words["known"]) > index_time
    numeric = pd.Series({c: pd.api.types.is_numeric_dtype(others[c]) for c in others})

    def auc(column):
        known = pd.DataFrame({"s": column, "y": y}).dropna()
        ranks = known["s"].astype(float).rank()
        pos, neg = known["y"].sum(), (1 - known["y"]).sum()
        if pos * neg == 0:
            return 0.5
        return (ranks[known["y"] == 1].sum() - pos * (pos + 1) / 2) / (pos * neg)

    tells = others.loc[:, numeric].apply(auc).sub(0.5).abs().add(0.5)
    gaps = others.isna().astype(float).apply(auc).sub(0.5).abs().add(0.5)
    encoded = {
        c: y.groupby(others[c].astype(object).where(others[c].notna(), "—")).transform("mean")
        for c in others.columns[~numeric]
        if others[c].nunique() <= 50
    }
    verdict = {}
    for c in others:
        v = others[c]
        checks = {"after": bool(late[c])}
        if numeric[c]:
            v = v.astype(float)
            checks |= {
                "future": words.loc[c, "kind"] == "moment" and bool(v.gt(index_time).any()),
                "copy": tells[c] >= 0.98,
                "encoding": v.notna().all()
                and v.nunique() > 1
                and any(v.sub(m).abs().le(1e-6).all() for m in encoded.values()),
                "order": tells[c] >= 0.6 and v.dropna().is_unique and v.dropna().mod(1).eq(0).all(),
            }
        checks["missing"] = gaps[c] >= 0.75
        verdict[c] = next((why for why, guilty in checks.items() if guilty), None)
    return list(pd.Series(verdict).dropna().items())


# %% q2
def subgroup_report(y, p, groups, thr, B=200, seed=0, min_n=30, cluster=None):
    rows = pd.DataFrame({"y": np.asarray(y, float), "p": np.asarray(p, float)})
    rows["flag"] = (rows["p"] >= thr).astype(float)
    rows["who"] = rows.index if cluster is None else list(cluster)
    rows["group"] = ""
    for name in sorted(groups.columns):
        text = groups[name].map(str, na_action="ignore").astype(object)
        text = text.where(groups[name].notna(), "missing").to_numpy()
        rows["group"] += (" & " if rows["group"].iloc[0] else "") + name + "=" + text
    rng = np.random.default_rng(seed)

    def metrics(t):
        ill, well = t["y"] == 1, t["y"] == 0
        ranks = t["p"].rank()
        pairs = ill.sum() * well.sum()
        wins = ranks[ill].sum() - ill.sum() * (ill.sum() + 1) / 2
        tpr = t.loc[ill, "flag"].mean()
        return {
            "prev": t["y"].mean(), "auc": wins / pairs if pairs else np.nan, "tpr": tpr,
            "fnr": 1 - tpr, "fpr": t.loc[well, "flag"].mean(), "ppv": t.loc[t["flag"] == 1, "y"].mean(),
        }  # fmt: skip

    report = []
    for group, own in rows.groupby("group"):
        line = {"group": group, "n": len(own), "patients": own["who"].nunique()}
        if line["patients"] < min_n:
            report.append(pd.Series(line | {"status": "insufficient"}))
            continue
        indexed = own.set_index("who").sort_index()
        one_each = indexed.index.is_unique
        samples = []
        for _ in range(B):
            drawn = rng.choice(indexed.index.unique(), line["patients"])
            if one_each:
                sample = indexed.iloc[indexed.index.get_indexer(drawn)]
            else:
                sample = indexed.loc[drawn]
            samples.append(metrics(sample.reset_index(drop=True)))
        ends = pd.DataFrame(samples).quantile([0.025, 0.975])
        ends = {
            f"{m}_{e}": v
            for e, row in zip(("lo", "hi"), ends.to_dict("records"))
            for m, v in row.items()
        }
        report.append(pd.Series(line | {"status": "ok"} | metrics(own) | ends))
    return pd.DataFrame(report, columns=REPORT_COLUMNS).reset_index(drop=True)


# %% q3
def gap(report, metric):
    known = report.query("status == 'ok'").dropna(subset=[metric]).sort_values(metric)
    if known.shape[0] < 2:
        empty = {"high": None, "low": None, "claim": False}
        return empty | dict.fromkeys(["gap", "lo", "hi"], float("nan"))
    columns = known.filter([metric, f"{metric}_lo", f"{metric}_hi"])
    (b, b_lo, b_hi), (a, a_lo, a_hi) = columns.iloc[0], columns.iloc[-1]
    lo = (a - b) - ((a - a_lo) ** 2 + (b_hi - b) ** 2) ** 0.5
    hi = (a - b) + ((a_hi - a) ** 2 + (b - b_lo) ** 2) ** 0.5
    low, high = known["group"].iloc[[0, -1]]
    return {"high": high, "low": low, "gap": a - b, "lo": lo, "hi": hi, "claim": lo > 0}


def equalised_odds_difference(y, flagged, groups):
    frame = pd.DataFrame({"y": list(y), "f": list(flagged), "g": list(groups)})
    shares = pd.pivot_table(frame, values="f", index="g", columns="y", aggfunc="mean")
    return (shares.max() - shares.min()).max()


def permutation_p(y, flagged, groups, metric="tpr", B=999, seed=0):
    frame = pd.DataFrame({"y": list(y), "f": list(flagged), "g": list(groups)})
    if metric == "tpr":
        frame = frame[frame["y"] == 1]
    elif metric == "fpr":
        frame = frame[frame["y"] == 0]
    elif metric != "rate":
        raise ValueError(metric)
    dummies = pd.get_dummies(frame["g"]).to_numpy(float)
    rng = np.random.default_rng([seed, 3])
    order = rng.permuted(np.tile(frame["f"].to_numpy(float), (B + 1, 1)), axis=1)
    order[0] = frame["f"]
    shares = order @ dummies / dummies.sum(axis=0)
    spread = (shares.max(axis=1) - shares.min(axis=1)).round(9)
    return (spread >= spread[0]).mean()


# %% q4
def cut(p, bins, strategy):
    p = pd.Series(np.asarray(p, float))
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    inner = np.round(inner, 12) if strategy == "width" else p.quantile(inner).to_numpy()
    return pd.Series(np.searchsorted(inner, p, side="right"))


def ece(y, p, bins=10, strategy="width"):
    frame = pd.DataFrame({"y": np.asarray(y, float), "p": np.asarray(p, float)})
    sums = frame.groupby(cut(p, bins, strategy)).sum()
    return (sums["y"] - sums["p"]).abs().sum() / len(frame)


def brier_decomposition(y, p, bins=10):
    frame = pd.DataFrame({"y": np.asarray(y, float), "p": np.asarray(p, float)})
    smooth = frame.groupby(cut(p, bins, "width")).transform("mean")
    base = frame["y"].mean()
    result = pd.Series(
        {
            "brier": frame.diff(axis=1)["p"].pow(2).mean(),
            "reliability": smooth.diff(axis=1)["p"].pow(2).mean(),
            "resolution": (smooth["y"] - base).pow(2).mean(),
            "uncertainty": base * (1 - base),
        }
    )
    result["within"] = result @ [1, -1, 1, -1]
    return result.to_dict()


def fit_temperature(logits, y):
    """A logistic regression without intercept or penalty: its slope is 1 / T."""
    from scipy.optimize import minimize

    z, y = np.asarray(logits, float), np.asarray(y, float)

    def loss(s):
        return np.logaddexp(0, s[0] * z).mean() - s[0] * (y * z).mean()

    found = minimize(
        loss,
        [1.0],
        bounds=[(1 / 50, 1 / 0.02)],
        method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-10},
    )
    return 1 / found.x[0]


def ece_null(p, B=500, seed=0, bins=10, strategy="width"):
    p = np.asarray(p, float)
    rng = np.random.default_rng(seed)
    drawn = pd.DataFrame((rng.random((len(p), B)) < p[:, None]) - p[:, None])
    return drawn.groupby(cut(p, bins, strategy)).sum().abs().sum().to_numpy() / len(p)


temperature = fit_temperature(val.meta["overtrained_logit"], val.y)


# %% q7
def net_benefit(y, p, t):
    t = np.asarray(t, float)
    if not t.size == ((t >= 0) & (t < 1)).sum():
        raise ValueError("every threshold lies in [0, 1)")
    counts = pd.crosstab(pd.Series(np.asarray(p, float)), pd.Series(np.asarray(y, int)))
    counts = counts.reindex(columns=[0, 1], fill_value=0)
    at_least = counts.iloc[::-1].cumsum().iloc[::-1]
    at_least.loc[np.inf] = 0
    found = at_least.iloc[at_least.index.searchsorted(t.ravel())].to_numpy()
    value = (found[:, 1] - found[:, 0] * (t.ravel() / (1 - t.ravel()))) / len(y)
    return value.reshape(t.shape)


def recalibrate_prevalence(p, pi0, pi1):
    for pi in (pi0, pi1):
        if not 0 < pi < 1:
            raise ValueError(f"prevalence {pi}")
    with np.errstate(divide="ignore"):
        odds = (
            np.asarray(p, float)
            / (1 - np.asarray(p, float))
            * (pi1 / (1 - pi1))
            / (pi0 / (1 - pi0))
        )
        return 1 / (1 + 1 / odds)


# %% q9
facts = {
    "name": "Hospital mortality (audit copy)",
    "intended_use": {
        "purpose": "Material for an audit in a course on deep learning.",
        "users": "Course participants who study how audits are made.",
        "patients": "Patients as in SUPPORT2, on the third day of the study.",
    },
    "out_of_scope": [
        "Decisions on treatment of whatever kind.",
        "Hospitals, years and diseases not in SUPPORT2.",
    ],
    "data": {
        "source": "SUPPORT2, thirty per cent held out",
        "years": "1989-1994",
        "simulated": False,
    },
    "limitations": [
        "Eighteen Asian patients say nothing of Asian patients.",
        "One threshold was looked at.",
    ],
}


def model_card(y, p, threshold, groups, facts):
    import json

    whole = subgroup_report(y, p, pd.DataFrame({"all": ["a"] * len(y)}), threshold, B=1, min_n=1)
    report = subgroup_report(y, p, groups, threshold)
    widest = pd.Series(gap(report, "tpr")).drop(["high", "low"])
    parts = whole.rename(columns={"prev": "prevalence"})[
        ["n", "prevalence", "auc", "tpr", "fpr", "ppv"]
    ]
    parts["threshold"], parts["brier"] = threshold, brier_decomposition(y, p)["brier"]
    columns = report.columns[report.columns.str.match("group|n$|status|auc|tpr|fpr")]
    return {
        **facts,
        "performance": json.loads(parts.to_json(orient="records", double_precision=12))[0],
        "calibration": {
            "ece": float(ece(y, p)),
            "ece_null_95": float(pd.Series(ece_null(p)).quantile(0.95)),
        },
        "subgroups": json.loads(report[columns].to_json(orient="records")),
        "gap": json.loads(widest.to_json()) | {"metric": "tpr"},
    }


card = model_card(test.y, p_test, THRESHOLD, pd.DataFrame({"race": test.meta["race"]}), facts)
