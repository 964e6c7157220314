"""More arguments and more answers than were asked for; nullable and categorical columns; a heap."""


# %% q1
def find_leaks(
    df, target, index_time, dictionary, *, copy=0.98, order=0.60, missing=0.75, tolerance=1e-6
):
    from sklearn.metrics import auc as area_under
    from sklearn.metrics import roc_curve

    y = df[target].to_numpy(int)

    def beyond(scores, rows, bound):
        if len(np.unique(y[rows])) < 2:
            return False
        fpr, tpr, _ = roc_curve(y[rows], scores[rows], drop_intermediate=False)
        return abs(area_under(fpr, tpr) - 0.5) >= bound - 0.5 - 1e-12

    def encodings():
        for other in df.columns:
            if not pd.api.types.is_numeric_dtype(df[other]) and df[other].nunique() <= 50:
                yield df.assign(y=y).groupby(other, dropna=False)["y"].transform("mean").to_numpy()

    accused = []
    for name in (c for c in df.columns if c != target):
        column, about = df[name], dictionary.get(name) or {}
        known = column.notna().to_numpy()
        if about.get("known", index_time) > index_time:
            accused.append((name, "after"))
            continue
        if pd.api.types.is_numeric_dtype(column):
            numbers = column.to_numpy(float)
            whole = np.equal(np.mod(numbers[known], 1), 0).all()
            if about.get("kind", "value") == "moment" and (numbers[known] > index_time).any():
                accused.append((name, "future"))
                continue
            if beyond(numbers, known, copy):
                accused.append((name, "copy"))
                continue
            if (
                known.all()
                and np.ptp(numbers)
                and any((np.abs(numbers - means) <= tolerance).all() for means in encodings())
            ):
                accused.append((name, "encoding"))
                continue
            if whole and column.dropna().nunique() == known.sum() and beyond(numbers, known, order):
                accused.append((name, "order"))
                continue
        if beyond((~known).astype(float), np.arange(len(y)), missing):
            accused.append((name, "missing"))
    return accused


# %% q2
def subgroup_report(
    y, p, groups, thr, B=200, seed=0, min_n=30, cluster=None, *, level=0.95, joint=" & "
):
    """The frame is indexed by group; counts are nullable integers, the status a category."""
    y, p = np.asarray(y).astype(bool), np.asarray(p, float)
    labels = pd.Series("", index=range(len(y)))
    for position, name in enumerate(sorted(groups)):
        shown = ["missing" if pd.isnull(v) else format(v) for v in groups[name].tolist()]
        labels = labels + (joint if position else "") + name + "=" + pd.Series(shown)
    people = pd.Series(range(len(y)) if cluster is None else np.asarray(cluster))
    lines = {}
    for number, (group, rows) in enumerate(sorted(labels.groupby(labels).groups.items())):
        rows = rows.to_numpy()
        patients = people[rows].unique()
        line = {"group": group, "n": len(rows), "patients": len(patients), "status": "insufficient"}
        if len(patients) >= min_n:
            own = (
                [rows[(people[rows] == one).to_numpy()] for one in patients]
                if cluster is not None
                else rows[:, None]
            )
            rng = np.random.default_rng([seed, number])
            resampled = (
                np.concatenate([own[k] for k in rng.integers(0, len(own), len(own))])
                for _ in range(B)
            )
            line |= {"status": "ok"} | _six(y[rows], p[rows], thr)
            table = pd.DataFrame([_six(y[r], p[r], thr) for r in resampled])
            for metric in METRICS:
                kept = table[metric].dropna()
                for end, share in (("lo", (1 - level) / 2), ("hi", (1 + level) / 2)):
                    line[f"{metric}_{end}"] = kept.quantile(share) if len(kept) else np.nan
        lines[group] = line
    report = pd.DataFrame.from_dict(lines, orient="index").reindex(columns=REPORT_COLUMNS)
    return report.astype({"n": "Int64", "patients": "Int64", "status": "category"})


def _six(y, p, thr):
    flagged, ill, well = p >= thr, y.sum(), (~y).sum()
    tp, fp = (flagged & y).sum(), (flagged & ~y).sum()
    safe = lambda a, b: a / b if b else float("nan")
    wins = stats.rankdata(p)[y].sum() - ill * (ill + 1) / 2
    values = (
        y.mean(),
        safe(wins, ill * well),
        safe(tp, ill),
        safe(ill - tp, ill),
        safe(fp, well),
        safe(tp, tp + fp),
    )
    return dict(zip(METRICS, map(float, values)))


# %% q3
def gap(report, metric, groups=None, *, level=0.95):
    """Says also how many groups were compared, and their values."""
    kept = report.loc[(report["status"] == "ok") & report[metric].notna()]
    values = {
        row["group"]: row for _, row in kept.iterrows() if groups is None or row["group"] in groups
    }
    more = {
        "compared": len(values),
        "values": {name: float(row[metric]) for name, row in values.items()},
        "level": level,
    }
    if len(values) < 2:
        nan = float("nan")
        return {"high": None, "low": None, "gap": nan, "lo": nan, "hi": nan, "claim": False, **more}
    high = max(more["values"], key=more["values"].get)
    low = min(more["values"], key=more["values"].get)
    (a, a_lo, a_hi), (b, b_lo, b_hi) = (
        [float(values[name][f"{metric}{end}"]) for end in ("", "_lo", "_hi")]
        for name in (high, low)
    )
    lo = a - b - float(np.hypot(a - a_lo, b_hi - b))
    hi = a - b + float(np.hypot(a_hi - a, b - b_lo))
    return {"high": high, "low": low, "gap": a - b, "lo": lo, "hi": hi, "claim": lo > 0, **more}


def equalised_odds_difference(y, flagged, groups, labels=(0, 1)):
    codes, names = pd.factorize(pd.Series(list(groups)))
    y, flagged = np.asarray(y), np.asarray(flagged)
    table = np.zeros((2, 2, len(names)))  # label, decision, group
    np.add.at(table, (y, flagged, codes), 1)
    worst = 0.0
    for label in labels:
        total = table[label].sum(axis=0)
        shares = table[label, 1, total > 0] / total[total > 0]
        worst = max(worst, float(shares.max() - shares.min()) if len(shares) else 0.0)
    return worst


def permutation_p(y, flagged, groups, metric="tpr", B=999, seed=0, *, tolerance=1e-12):
    y, flagged, groups = np.asarray(y), np.asarray(flagged), np.asarray(groups, dtype=object)
    if metric == "rate":
        keep, label = np.full(len(y), True), 0
        y = np.zeros(len(y), int)
    elif metric in ("tpr", "fpr"):
        label = int(metric == "tpr")
        keep = y == label
    else:
        raise ValueError(f"metric is 'tpr', 'fpr' or 'rate', not {metric!r}")
    seen = equalised_odds_difference(y[keep], flagged[keep], groups[keep], (label,))
    rng = np.random.default_rng(seed)
    extreme = 1
    for _ in range(B):
        names = rng.permutation(groups[keep])
        extreme += (
            equalised_odds_difference(y[keep], flagged[keep], names, (label,)) >= seen - tolerance
        )
    return extreme / (B + 1)


# %% q4
def ece(y, p, bins=10, strategy="width", *, weights=None, power=1):
    parts = _parts(y, p, bins, strategy)
    return sum(n * abs(a - b) ** power for n, a, b in parts) ** (1 / power) / 1.0


def _parts(y, p, bins, strategy):
    """Share, mean label and mean probability of each bin that holds somebody."""
    y, p = np.asarray(y, float), np.asarray(p, float)
    edges = np.append(np.arange(bins) / bins, np.inf)
    if strategy == "mass":
        edges = np.concatenate([[-np.inf], np.quantile(p, np.arange(1, bins) / bins), [np.inf]])
    for low, high in zip(edges, edges[1:]):
        inside = (p >= low) & (p < high)
        if inside.any():
            yield inside.mean(), y[inside].mean(), p[inside].mean()


def brier_decomposition(y, p, bins=10, strategy="width"):
    y, p = np.asarray(y, float), np.asarray(p, float)
    base, parts = y.mean(), np.array(list(_parts(y, p, bins, strategy)))
    share, mean_y, mean_p = parts.T
    found = {
        "brier": np.mean((p - y) ** 2), "reliability": share @ (mean_p - mean_y) ** 2,
        "resolution": share @ (mean_y - base) ** 2, "uncertainty": np.var(y),
    }  # fmt: skip
    found["within"] = (
        found["brier"] - found["reliability"] + found["resolution"] - found["uncertainty"]
    )
    return found | {
        "skill": 1 - found["brier"] / np.var(y) if np.var(y) else float("nan"),
        "bins": len(parts),
    }


def fit_temperature(logits, y, *, low=0.02, high=50.0, points=200, rounds=5):
    """A grid that is refined around its best point."""
    z, y = np.asarray(logits, float)[:, None], np.asarray(y, float)[:, None]
    for _ in range(rounds):
        grid = np.geomspace(low, high, points)
        best = np.concatenate(
            [
                (np.logaddexp(0, z / some) - y * z / some).mean(axis=0)
                for some in np.array_split(grid, 20)
            ]
        ).argmin()
        low, high, points = grid[max(best - 1, 0)], grid[min(best + 1, points - 1)], 20
    return float(grid[best])


def ece_null(p, B=500, seed=0, bins=10, strategy="width", *, spawn=True):
    p = np.asarray(p, float)
    streams = np.random.SeedSequence(seed).spawn(B)
    return np.fromiter(
        (ece(np.random.Generator(np.random.SFC64(s)).random(len(p)) <= p - 1e-15, p, bins, strategy) for s in streams),
        dtype=np.float64, count=B,
    )  # fmt: skip


temperature = fit_temperature(val.meta["overtrained_logit"], val.y)


# %% q8
class DriftMonitor:
    """Means of one, three and ten days together; remembers why it sounded."""

    LENGTHS = (1, 3, 10)

    def __init__(self, ref, arl0=100, *, reserve=1.35, seed=21):
        self.columns = [*np.asarray(ref["x"], float).T, np.asarray(ref["p"], float)]
        self.centre = np.array([c.mean() for c in self.columns])
        self.width = np.array([c.std() for c in self.columns])
        self.history, self.outcomes, self.scores, self.reasons = [], [], {}, []
        rng, charts = np.random.default_rng(seed), len(self.columns) + 1
        days, runs = int(4 * arl0) + max(self.LENGTHS), 200
        correlation = np.eye(charts)
        correlation[:-1, :-1] = np.corrcoef(self.columns)
        z = rng.multivariate_normal(np.zeros(charts), correlation, size=(runs, days))
        total = np.cumsum(z, axis=1)
        height = np.abs(z).max(axis=2)
        for length in self.LENGTHS[1:]:
            sums = total.copy()
            sums[:, length:] -= total[:, :-length]
            count = np.minimum(np.arange(days) + 1, length)[:, None]
            height = np.maximum(height, (np.abs(sums) / np.sqrt(count)).max(axis=2))
        peak = np.maximum.accumulate(height, axis=1)
        for self.limit in np.arange(2, 7, 0.01):
            alarms = max(1, (peak[:, -1] > self.limit).sum())
            if ((peak <= self.limit).sum() + alarms) / alarms >= reserve * arl0:
                break

    def update(self, x, p, late=None, *, explain=False):
        values = np.column_stack([x, p]).astype(float)
        self.scores[len(self.history)] = values[:, -1]
        self.history.append((values.mean(axis=0) - self.centre) / self.width * len(values) ** 0.5)
        if late is not None:
            day, y = late
            if day not in self.scores:
                raise ValueError(f"day {day}: not yet, or no more")
            q = self.scores.pop(day)
            self.outcomes.append((np.asarray(y) - q).sum() / np.sqrt((q - q * q).sum()))
        reasons = [
            (length, what)
            for what, series in (("patients", self.history), ("outcomes", self.outcomes))
            for length in self.LENGTHS
            if series
            and (
                np.abs(np.sum(series[-length:], axis=0)) / len(series[-length:]) ** 0.5 > self.limit
            ).any()
        ]
        self.reasons.append(reasons)
        return (bool(reasons), reasons) if explain else bool(reasons)


# %% q9
facts = {
    "name": "Risk of death in hospital on day 3, version of the course",
    "version": "as supplied with the notebook",
    "intended_use": {
        "purpose": "An object to audit; it ranks patients by their risk of dying in hospital.",
        "users": "Students who audit it, and their instructors.",
        "patients": "Adults of nine diagnostic groups in five US hospitals.",
        "setting": "classroom",
    },
    "out_of_scope": [
        "Withholding a treatment from anybody.",
        "Patients of today, without new measurements.",
        "Statements on what race means for survival.",
    ],
    "data": {
        "source": "SUPPORT2, 2,731 patients held out",
        "years": "1989-1994",
        "simulated": False,
        "rows": 2731,
    },
    "limitations": [
        "Nothing was measured outside of these hospitals.",
        "Race is as recorded by staff, in five categories.",
    ],
}


def model_card(y, p, threshold, groups, facts, *, digits=3, level=0.95):
    def tidy(value):
        return None if pd.isna(value) else round(float(value), digits)

    y, p = np.asarray(y), np.asarray(p)
    alone = subgroup_report(
        y, p, pd.DataFrame({"who": ["everybody"] * len(y)}), threshold, B=1, min_n=1
    )
    report, widest, chance = subgroup_report(y, p, groups, threshold), None, np.asarray(ece_null(p))
    widest = gap(report, "tpr")
    card = dict(facts)
    card["performance"] = {
        name: tidy(alone[name].iloc[0]) for name in ("auc", "tpr", "fnr", "fpr", "ppv")
    }
    card["performance"] |= {
        "n": int(len(y)),
        "prevalence": tidy(np.mean(y)),
        "threshold": tidy(threshold),
    }
    card["performance"]["brier"] = tidy(np.mean((p - y) ** 2))
    card["calibration"] = {
        "ece": tidy(ece(y, p)),
        "ece_null_95": tidy(np.quantile(chance, 0.95)),
        "bins": 10,
    }
    card["subgroups"] = []
    for record in report.to_dict("records"):
        line = {"group": record["group"], "n": int(record["n"]), "status": str(record["status"])}
        line |= {c: tidy(record[c]) for c in REPORT_COLUMNS[4:]}
        card["subgroups"].append(line)
    card["gap"] = {"metric": "tpr", "claim": bool(widest["claim"])} | {
        k: tidy(widest[k]) for k in ("gap", "lo", "hi")
    }
    card["gap"] |= {"between": [widest["high"], widest["low"]]}
    return card


card = model_card(test.y, p_test, THRESHOLD, pd.DataFrame({"race": test.meta["race"]}), facts)
