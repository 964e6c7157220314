"""Page and Hinkley's test; Mann and Whitney's statistic; a model card without rounding."""

# %% q1
from scipy.stats import mannwhitneyu


def area(scores, labels):
    ill, well = scores[labels == 1], scores[labels == 0]
    if not len(ill) or not len(well):
        return 0.5
    return mannwhitneyu(ill, well, method="asymptotic").statistic / (len(ill) * len(well))


def find_leaks(df, target, index_time, dictionary):
    y = np.asarray(df[target], dtype=int)
    numeric = df.select_dtypes(["number", "bool"]).columns
    texts = [c for c in df.columns if c not in numeric and df[c].nunique() <= 50]
    averages = []
    for name in texts:
        codes, _ = pd.factorize(df[name], use_na_sentinel=False)
        averages.append((np.bincount(codes, y) / np.bincount(codes))[codes])
    accused = []
    for name in df.columns.difference([target], sort=False):
        values, entry = df[name], dictionary.get(name, {"known": index_time, "kind": "value"})
        gone = values.isna().to_numpy()
        why = None
        if entry["known"] > index_time:
            why = "after"
        elif name in numeric:
            v = values.to_numpy(dtype=float)
            a = area(v[~gone], y[~gone])
            a = max(a, 1 - a)
            if entry["kind"] == "moment" and np.nanmax(v) > index_time:
                why = "future"
            elif a >= 0.98:
                why = "copy"
            elif (
                not gone.any()
                and np.ptp(v) > 0
                and any(np.abs(v - average).max() <= 1e-6 for average in averages)
            ):
                why = "encoding"
            elif (
                a >= 0.6 and len(np.unique(v[~gone])) == (~gone).sum() and not np.any(v[~gone] % 1)
            ):
                why = "order"
        if why is None and abs(area(gone.astype(float), y) - 0.5) >= 0.25:
            why = "missing"
        if why:
            accused.append((name, why))
    return accused


# %% q5
def shortcut_report(predict, X, y, edits, margin=0.1, alpha=0.05):
    """The model is asked once about everything."""
    y = np.asarray(y, int)
    blocks = [X] + [half for pair in edits.values() for half in pair]
    for block in blocks:
        if len(block) != len(y) or len(y) < 2:
            raise ValueError(f"{len(block)} images for {len(y)} labels, of which two are needed")
    asked = np.asarray(predict(np.concatenate([np.asarray(b) for b in blocks])), float)
    scores = asked.reshape(len(blocks), len(y))

    def auc(s):
        if y.min() == y.max():
            return float("nan")
        order = np.argsort(s, kind="stable")
        levels = np.unique(s[order], return_inverse=True)[1]
        pos, neg = (np.bincount(levels, y[order] == k) for k in (1, 0))
        return float(pos @ (np.cumsum(neg) - neg / 2) / pos.sum() / neg.sum())

    report = {}
    for number, name in enumerate(edits):
        off, on = scores[2 * number + 1 : 2 * number + 3]
        d = pd.Series(on - off)
        half = stats.t(len(d) - 1).interval(1 - alpha)[1] * d.sem()
        delta = d.mean()
        report[name] = {
            "delta": delta,
            "lo": delta - half,
            "hi": delta + half,
            "flag": abs(delta) - half > margin,
            "auc_against": min(auc(np.where(y, off, on)), auc(np.where(y, on, off))),
        }
    return {"auc": auc(scores[0]), "edits": report}


# %% q6
def integrated_gradients(model, x, x0, steps=64):
    """Sums in double precision whatever the model computes in; one row after the other."""
    x0 = torch.broadcast_to(x0, x.shape)
    rows = []
    for start, end in zip(x0.detach(), x.detach()):
        total = torch.zeros(start.shape, dtype=torch.float64)
        for k in np.arange(0.5, steps):
            point = (start + (end - start) * (k / steps)).unsqueeze(0).requires_grad_(True)
            value = model(point)
            value.backward(torch.ones_like(value), inputs=point)
            total += point.grad[0]
        rows.append(total / steps * (end - start))
    return torch.stack(rows)


def saliency_sanity(model, explainer, x, seed=0):
    import io

    def copy_of(network):
        buffer = io.BytesIO()
        torch.save(network, buffer)
        buffer.seek(0)
        return torch.load(buffer, weights_only=False)

    def similarity(a, b):
        rho = [
            stats.spearmanr(u.abs().flatten(), v.abs().flatten()).statistic for u, v in zip(a, b)
        ]
        return float(np.mean(np.nan_to_num(rho)))

    import warnings

    broken, reference = copy_of(model), explainer(model, x).detach()
    names = [
        n for n, m in broken.named_modules() if m._parameters and hasattr(m, "reset_parameters")
    ]
    found = {}
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        while names:
            name = names.pop()
            broken.get_submodule(name).reset_parameters()
            found[name] = similarity(reference, explainer(broken, x).detach())
    return {"layers": found, "flag": np.mean([*found.values()]).item() > 0.5}


# %% q8
class DriftMonitor:
    """Page-Hinkley: the sum since the start less its extreme so far; bound from real days drawn."""

    DELTA = 0.3

    def __init__(self, ref, arl0=100):
        x, p, y = (np.asarray(ref[k], float) for k in ("x", "p", "y"))
        self.mu = [*x.mean(axis=0), p.mean()]
        self.s = [*x.std(axis=0), p.std()]
        self.n = len(p)
        table = np.column_stack([(x - self.mu[:-1]) / self.s[:-1], (p - self.mu[-1]) / self.s[-1]])
        error = (y - p) / np.sqrt(np.mean(p * (1 - p)))
        table = np.column_stack([table, error - error.mean()])
        rng, runs, days = np.random.default_rng(2024), 200, 4 * int(arl0)
        size = 25
        # [days, runs, charts]
        z = np.stack(
            [
                table[rng.integers(self.n, size=(runs, size))].mean(axis=1) * size**0.5
                for _ in range(days)
            ]
        )
        highest = np.zeros((days, runs))
        for sign in (1, -1):
            total = np.cumsum(sign * z - self.DELTA, axis=0)
            lowest = np.minimum(np.minimum.accumulate(total, axis=0), 0)
            highest = np.maximum(highest, (total - lowest).max(axis=2))
        highest = np.maximum.accumulate(highest, axis=0)
        candidates = np.quantile(highest, np.linspace(0, 1, 3000))
        for bound in candidates:
            alarms = max(1, int((highest[-1] > bound).sum()))
            if ((highest <= bound).sum() + alarms) / alarms >= 1.3 * arl0:
                break
        self.bound = bound
        charts = len(self.mu) + 1
        self.sums = [[0.0, 0.0] for _ in range(charts)]
        self.lows = [[0.0, 0.0] for _ in range(charts)]
        self.open, self.day = {}, -1

    def push(self, chart, z):
        for side, sign in enumerate((1, -1)):
            self.sums[chart][side] += sign * z - self.DELTA
            self.lows[chart][side] = min(self.lows[chart][side], self.sums[chart][side])

    def update(self, x, p, late=None):
        self.day += 1
        x, p = np.asarray(x, float), np.asarray(p, float)
        self.open[self.day] = p
        for chart, values in enumerate([*x.T, p]):
            error = self.s[chart] * (1 / len(values) + 1 / self.n) ** 0.5
            self.push(chart, (values.mean() - self.mu[chart]) / error)
        if late:
            try:
                then = self.open.pop(late[0])
            except KeyError:
                raise ValueError(f"day {late[0]} is not waiting for outcomes") from None
            self.push(-1, (np.sum(late[1]) - then.sum()) / (then * (1 - then)).sum() ** 0.5)
        return any(
            total - low > self.bound
            for totals, lows in zip(self.sums, self.lows)
            for total, low in zip(totals, lows)
        )


# %% q9
facts = dict(
    name="Model under audit",
    intended_use=dict(
        purpose="To practise audits on; nothing is decided with it.",
        users="Students of the course, who know its limits.",
        patients="Adults of the SUPPORT cohort, seen on study day 3.",
    ),
    out_of_scope=["Every decision in a hospital of today.", "Any use for triage of real patients."],
    data=dict(
        source="SUPPORT2, 9,105 seriously ill patients", years="1989 to 1994", simulated=False
    ),
    limitations=[
        "No external validation was done.",
        "Some groups have fewer than thirty patients.",
    ],
)


def model_card(y, p, threshold, groups, facts):
    def plain(value):
        match value:
            case dict():
                return {key: plain(inner) for key, inner in value.items()}
            case list() | tuple():
                return [plain(inner) for inner in value]
            case bool() | str() | None:
                return value
            case np.bool_():
                return bool(value)
            case int() | np.integer():
                return int(value)
        return float(value) if np.isfinite(value) else None

    y, p = np.asarray(y, float), np.asarray(p, float)
    acted = p >= threshold
    groupwise = subgroup_report(y.astype(int), p, groups, threshold)
    wanted = ["group", "n", "status"]
    wanted += [c for c in groupwise.columns if c.split("_")[0] in ("auc", "tpr", "fpr")]
    found = gap(groupwise, "tpr")
    return plain(
        {
            **facts,
            "performance": {
                "n": len(y),
                "prevalence": y.mean(),
                "threshold": threshold,
                "auc": area(p, y),
                "tpr": acted[y == 1].mean(),
                "fpr": acted[y == 0].mean(),
                "ppv": y[acted].mean() if acted.any() else None,
                "brier": brier_decomposition(y, p)["brier"],
            },
            "calibration": {
                "ece": ece(y, p, bins=10, strategy="width"),
                "ece_null_95": np.sort(ece_null(p, B=1000, seed=4))[949],
            },
            "subgroups": groupwise[wanted].to_dict(orient="records"),
            "gap": {"metric": "tpr", **{k: found[k] for k in ("gap", "lo", "hi", "claim")}},
        }
    )


card = model_card(test.y, p_test, THRESHOLD, pd.DataFrame({"race": test.meta["race"]}), facts)
