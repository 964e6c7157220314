"""What the words leave open, read in another way: lists, other quantiles, a monitor that warms up."""


# %% q1
def find_leaks(df, target, index_time, dictionary):
    """Rows without a word have no mean; a column of text is looked at for its gaps alone."""
    import math

    y = list(df[target])

    def auc(chosen, score):
        ill = [score[i] for i in chosen if y[i] == 1]
        well = np.sort([score[i] for i in chosen if y[i] == 0])
        if not ill or not len(well):
            return 0.5
        both = np.searchsorted(well, ill, "right") + np.searchsorted(well, ill, "left")
        return 0.5 * float(np.mean(both)) / len(well)

    def extreme(value, bound):
        return value >= bound or value <= 1 - bound

    def as_numbers(name):
        try:
            return [float(v) for v in df[name]]
        except (TypeError, ValueError):
            return None

    everybody = range(len(y))
    found = []
    for name in df.columns:
        if name == target:
            continue
        entry, v = dictionary.get(name), as_numbers(name)
        reasons = []
        if entry and entry["known"] > index_time:
            reasons.append("after")
        if v is not None:
            there = [i for i in everybody if not math.isnan(v[i])]
            if entry and entry["kind"] == "moment" and any(v[i] > index_time for i in there):
                reasons.append("future")
            a = auc(there, v)
            if extreme(a, 0.98):
                reasons.append("copy")
            if len(there) == len(y) and len(set(v)) > 1:
                for other in df.columns:
                    if as_numbers(other) is not None or df[other].nunique() > 50:
                        continue
                    rows = df.index[df[other].notna()]
                    means = df.loc[rows].groupby(other)[target].mean().to_dict()
                    if all(abs(df[name][i] - means[df[other][i]]) <= 1e-6 for i in rows):
                        reasons.append("encoding")
            whole = all(v[i].is_integer() for i in there)
            if whole and len({v[i] for i in there}) == len(there) and extreme(a, 0.6):
                reasons.append("order")
        if extreme(auc(everybody, df[name].isna().to_numpy(float)), 0.75):
            reasons.append("missing")
        found += [(name, reasons[0])] if reasons else []
    return found


# %% q2
def subgroup_report(y, p, groups, thr, B=200, seed=0, min_n=30, cluster=None):
    """Ends of intervals are drawn values (no interpolation); rows in an index that begins at 1."""
    from itertools import groupby

    y, p = [int(v) for v in y], [float(v) for v in p]
    who = list(range(len(y))) if cluster is None else list(cluster)
    attributes = groups.sort_index(axis=1).to_dict("list")

    def key(row):
        shown = ((a, attributes[a][row]) for a in attributes)
        return " & ".join(f"{a}={'missing' if v is None or v != v else v}" for a, v in shown)

    keys = {row: key(row) for row in range(len(y))}
    state = np.random.RandomState(seed)

    def metrics(rows):
        ill, well = [p[r] for r in rows if y[r]], sorted(p[r] for r in rows if not y[r])
        tp, fp = sum(s >= thr for s in ill), sum(s >= thr for s in well)
        nan = float("nan")
        wins = np.searchsorted(well, ill, "left").sum() + np.searchsorted(well, ill, "right").sum()
        return {
            "prev": len(ill) / len(rows),
            "auc": wins / 2 / len(ill) / len(well) if ill and well else nan,
            "tpr": tp / len(ill) if ill else nan,
            "fnr": 1 - tp / len(ill) if ill else nan,
            "fpr": fp / len(well) if well else nan,
            "ppv": tp / (tp + fp) if tp + fp else nan,
        }

    lines = []
    for name, rows in groupby(sorted(keys, key=keys.get), key=keys.get):
        rows = list(rows)
        own = {}
        for row in rows:
            own.setdefault(who[row], []).append(row)
        people = list(own.values())
        line = {"group": name, "n": len(rows), "patients": len(people), "status": "insufficient"}
        if len(people) >= min_n:
            line |= metrics(rows) | {"status": "ok"}
            drawn = [
                metrics(
                    [r for k in state.randint(len(people), size=len(people)) for r in people[k]]
                )
                for _ in range(B)
            ]
            for metric in METRICS:
                seen = sorted(one[metric] for one in drawn if one[metric] == one[metric])
                if seen:
                    low, high = np.quantile(seen, [0.025, 0.975], method="inverted_cdf")
                    line |= {f"{metric}_lo": low, f"{metric}_hi": high}
        lines.append(line)
    return pd.DataFrame(lines, columns=REPORT_COLUMNS, index=range(1, len(lines) + 1))


# %% q5
def shortcut_report(predict, X, y, edits, margin=0.1, alpha=0.05):
    """The longer form of the sentence: beyond the margin on a side is flagged side by side."""
    from scipy.special import stdtrit
    from sklearn.metrics import roc_auc_score

    y = np.asarray(y)
    rows = [("X", X)] + [(f"{n}[{k}]", pair[k]) for n, pair in edits.items() for k in (0, 1)]
    wrong = [f"{name} has {len(images)}" for name, images in rows if len(images) != len(y)]
    if wrong or len(y) < 2:
        raise ValueError(f"{len(y)} labels; " + ", ".join(wrong))
    scores = {name: np.asarray(predict(images), float) for name, images in rows}

    def auc(values):
        return float("nan") if len(np.unique(y)) == 1 else roc_auc_score(y, values)

    def judge(name):
        off, on = scores[f"{name}[0]"], scores[f"{name}[1]"]
        d = (on - off).tolist()
        n, mean = len(d), float(np.mean(d))
        error = float(np.std(d, ddof=1)) / n**0.5
        lo, hi = (mean + stdtrit(n - 1, q) * error for q in (alpha / 2, 1 - alpha / 2))
        both = [on, off]
        worst = [auc([both[(label + k) % 2][i] for i, label in enumerate(y)]) for k in (0, 1)]
        above, below = all(end > margin for end in (lo, hi)), all(end < -margin for end in (lo, hi))
        return dict(delta=mean, lo=lo, hi=hi, flag=above or below, auc_against=min(worst))

    return dict(auc=auc(scores["X"]), edits={name: judge(name) for name in sorted(edits)})


# %% q7
def net_benefit(y, p, t):
    """A float for a number, a list for a list or an array."""
    if hasattr(t, "__len__"):
        return [net_benefit(y, p, one) for one in t]
    if not 0 <= t < 1:
        raise ValueError("t")
    acted = [label for label, score in zip(y, p) if score >= t]
    return float((sum(acted) - (len(acted) - sum(acted)) * t / (1 - t)) / len(y))


def recalibrate_prevalence(p, pi0, pi1):
    """Lists in the shape of ``p``."""
    if not all(0 < pi < 1 for pi in (pi0, pi1)):
        raise ValueError("pi0, pi1")
    if np.ndim(p):
        return [recalibrate_prevalence(one, pi0, pi1) for one in p]
    ill, well = float(p) * pi1 / pi0, (1 - float(p)) * (1 - pi1) / (1 - pi0)
    return ill / (ill + well)


# %% q8
class DriftMonitor:
    """Silent on its first two days; sounds once and begins afresh; outcomes are kept to the end."""

    def __init__(self, ref, arl0=100):
        from statistics import NormalDist

        x, p = np.asarray(ref["x"], dtype=float), np.asarray(ref["p"], dtype=float)
        self.base = [(v.mean(), v.std(ddof=1)) for v in (*x.T, p)]
        self.size, self.w = len(p), 0.25
        charts = len(self.base) + 1
        # a daily test of so many charts; that averages stay near each other makes it too strict
        self.limit = -NormalDist().inv_cdf(1 / (2 * 1.1 * arl0 * charts))
        self.begin()
        self.scores, self.told = [], set()

    def begin(self):
        self.values, self.ages = [0.0] * (len(self.base) + 1), [0] * (len(self.base) + 1)

    def take(self, chart, z):
        self.values[chart] += self.w * (z - self.values[chart])
        self.ages[chart] += 1

    def update(self, x, p, late=None):
        columns = [*np.asarray(x, dtype=float).T, np.asarray(p, dtype=float)]
        for chart, (values, (mean, sd)) in enumerate(zip(columns, self.base)):
            self.take(chart, (values.mean() - mean) / sd / (1 / len(values) + 1 / self.size) ** 0.5)
        self.scores.append(columns[-1])
        if late is not None:
            day, outcomes = late
            if day in self.told or day not in range(len(self.scores)):
                raise ValueError("late")
            self.told.add(day)
            expected = self.scores[day]
            spread = float(np.sqrt(np.sum(expected * (1 - expected))))
            self.take(-1, float(np.sum(outcomes) - np.sum(expected)) / spread)
        spread = (self.w / (2 - self.w)) ** 0.5
        loud = any(
            age > 2 and abs(v) > self.limit * spread for v, age in zip(self.values, self.ages)
        )
        if loud:
            self.begin()
        return loud
