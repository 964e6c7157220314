"""Functions that make functions; hooks that catch gradients; a limit found by Markov chains."""


# %% q1
def rule(reason, guilty):
    return lambda case: reason if guilty(case) else None


def make_finder(*rules):
    def find(df, target, index_time, dictionary):
        y = df[target].to_numpy(float)

        def case(name):
            values = df[name]
            number = values.dtype.kind in "iufb"
            entry = dictionary.get(name)
            return {
                "late": entry is not None and entry["known"] > index_time,
                "moment": entry is not None and entry["kind"] == "moment",
                "v": values.to_numpy(float) if number else None,
                "known": ~values.isna().to_numpy(), "y": y, "time": index_time,
                "words": [df[c].fillna("") for c in df if df[c].dtype.kind not in "iufb"],
            }  # fmt: skip

        verdicts = (
            (c, filter(None, (r(case(c)) for r in rules))) for c in df.columns if c != target
        )
        return [(c, first) for c, found in verdicts if (first := next(found, None))]

    return find


def strength(scores, y):
    """AUC or 1 - AUC, the larger, as the trapezoids below the curve of (FPR, TPR)."""
    if len(set(y.tolist())) < 2:
        return 0.5
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    tp, fp = np.cumsum(y[order])[last], np.cumsum(1 - y[order])[last]
    a = np.trapezoid(np.append(0, tp) / tp[-1], np.append(0, fp) / fp[-1])
    return max(a, 1 - a)


def tells(case):
    return strength(case["v"][case["known"]], case["y"][case["known"]])


def is_mean(case):
    if not case["known"].all() or np.all(case["v"] == case["v"][0]):
        return False
    frame = pd.DataFrame({"y": case["y"], "v": case["v"]})
    groupings = (frame.groupby(w) for w in case["words"] if w.nunique() <= 50)
    return any(
        (g["v"].agg(np.ptp) <= 2e-6).all()
        and ((frame["v"] - g["y"].transform("mean")).abs() <= 1e-6).all()
        for g in groupings
    )


def numbered(case):
    seen = case["v"][case["known"]]
    return bool((np.rint(seen) == seen).all()) and len(np.unique(seen)) == len(seen) > 0


numeric = lambda guilty: lambda case: case["v"] is not None and guilty(case)
find_leaks = make_finder(
    rule("after", lambda case: case["late"]),
    rule("future", numeric(lambda case: case["moment"] and np.nanmax(case["v"]) > case["time"])),
    rule("copy", numeric(lambda case: tells(case) >= 0.98)),
    rule("encoding", numeric(is_mean)),
    rule("order", numeric(lambda case: numbered(case) and tells(case) >= 0.6)),
    rule("missing", lambda case: strength((~case["known"]).astype(float), case["y"]) >= 0.75),
)


# %% q5
def shortcut_report(predict, X, y, edits, margin=0.1, alpha=0.05):
    """Intervals as those of the intercept of a regression on nothing else."""
    import functools

    y = np.asarray(y)
    if y.shape[0] < 2:
        raise ValueError("y has fewer than two rows")

    @functools.cache
    def scored(name, side):
        images = X if name is None else edits[name][side]
        if len(images) != len(y):
            raise ValueError(f"{name or 'X'}: {len(images)} rows instead of {len(y)}")
        return np.asarray(predict(images), float)

    def auc(s):
        pairs = s[y == 1, None] - s[None, y == 0]
        return float(np.heaviside(pairs, 0.5).mean()) if pairs.size else float("nan")

    def effect(name):
        d = scored(name, 1) - scored(name, 0)
        one = np.ones((len(d), 1))
        (delta,), *_ = np.linalg.lstsq(one, d)
        variance = float((d - delta) @ (d - delta)) / (len(d) - 1) / len(d)
        reach = stats.t(len(d) - 1).ppf(1 - alpha / 2) * variance**0.5
        return {
            "delta": float(delta), "lo": float(delta - reach), "hi": float(delta + reach),
            "flag": bool(max(delta - reach - margin, -margin - delta - reach) > 0),
            "auc_against": min(auc(np.where(y == k, scored(name, 0), scored(name, 1))) for k in (0, 1)),
        }  # fmt: skip

    return {"edits": {name: effect(name) for name in edits}, "auc": auc(scored(None, 0))}


# %% q6
def integrated_gradients(model, x, x0, steps=64):
    """A hook on the point catches its gradient; several points at a time."""
    caught = []
    base = x0.detach().expand(x.shape)
    for number in range(steps):
        mix = torch.tensor((2 * number + 1) / (2 * steps), dtype=x.dtype)
        point = (x.detach() * mix + base * (1 - mix)).requires_grad_()
        handle = point.register_hook(lambda slope: caught.append(slope.clone()))
        model(point).sum().backward(inputs=[point])
        handle.remove()
    return torch.stack(caught).mean(dim=0) * (x.detach() - base)


def saliency_sanity(model, explainer, x, seed=0):
    """A copy is ruined under a generator of its own, and compared image by image."""
    import contextlib
    import copy

    @contextlib.contextmanager
    def other_randomness():
        state = torch.random.get_rng_state()
        torch.manual_seed(seed)
        yield
        torch.random.set_rng_state(state)

    def rho(a, b):
        a, b = a.abs().flatten(), b.abs().flatten()
        if a.unique().numel() == 1 or b.unique().numel() == 1:
            return 0.0
        ranks = []
        for v in (a, b):
            _, place, count = v.unique(return_inverse=True, return_counts=True)
            end = count.cumsum(0).double()
            ranks.append((end - (count - 1) / 2)[place])
        return torch.corrcoef(torch.stack(ranks))[0, 1].item()

    wreck, found, before = copy.deepcopy(model), {}, explainer(model, x).detach()
    stack = [(n, m) for n, m in wreck.named_modules() if hasattr(m, "reset_parameters")]
    with other_randomness():
        while stack:
            name, module = stack.pop()
            if any(True for _ in module.named_parameters(recurse=False)):
                module.reset_parameters()
                after = explainer(wreck, x).detach()
                found[name] = sum(rho(a, b) for a, b in zip(before, after)) / len(x)
    return {"layers": found, "flag": sum(found.values()) / len(found) > 0.5}


# %% q7
def net_benefit(y, p, t):
    """From sorted scores: how many of each label lie at or above each threshold."""
    price = np.asarray(t, float)
    if price.size and (price.min() < 0 or price.max() >= 1):
        raise ValueError("0 <= t < 1 does not hold")
    order = np.argsort(p)
    scores, labels = np.asarray(p)[order], np.asarray(y)[order]
    left = np.append(np.cumsum(labels[::-1])[::-1], 0)
    start = np.searchsorted(scores, price)
    tp, acted = left[start], len(scores) - start
    return tp / len(scores) - (acted - tp) / len(scores) * (price / (1 - price))


def recalibrate_prevalence(p, pi0, pi1):
    def odds(pi):
        if pi <= 0.0 or pi >= 1.0:
            raise ValueError(f"{pi} has no finite log odds")
        return pi / (1 - pi)

    ratio = odds(pi0) / odds(pi1)
    p = np.asarray(p, float)
    return np.divide(p, p + (1 - p) * ratio)


# %% q8
def ewma_limit(w, run_length, states=81):
    """The limit, in standard deviations of the chart, by a Markov chain (Brook & Evans, 1972)."""

    def mean_run(h):
        edges = np.linspace(-h, h, states + 1)
        middle = (edges[1:] + edges[:-1]) / 2
        reach = (edges[None, :] - (1 - w) * middle[:, None]) / w
        step = np.diff(stats.norm.cdf(reach), axis=1)
        return np.linalg.solve(np.eye(states) - step, np.ones(states))[states // 2]

    low, high = 0.1, 3.0
    for _ in range(30):
        h = (low + high) / 2
        low, high = (h, high) if mean_run(h) < run_length else (low, h)
    return high


def make_chart(w, limit):
    value = 0.0

    def chart(z):
        nonlocal value
        value = (1 - w) * value + w * z
        return abs(value) > limit

    return chart


class DriftMonitor:
    """As many charts as there are things to watch; each may alarm as seldom as all together should
    times their number.
    """

    def __init__(self, ref, arl0=100):
        values = np.column_stack([ref["x"], ref["p"]]).astype(float)
        self.n, self.mean, self.sd = len(values), values.mean(axis=0), values.std(axis=0)
        count = values.shape[1] + 1
        self.w, self.limit = 0.2, ewma_limit(0.2, 1.15 * arl0 * count)
        self.values = [0.0] * count
        self.days = []

    def update(self, x, p, late=None):
        today = np.column_stack([x, p]).astype(float)
        self.days.append(today[:, -1])
        error = self.sd * np.sqrt(1 / len(today) + 1 / self.n)
        news = dict(enumerate((today.mean(axis=0) - self.mean) / error))
        if late is not None:
            day, outcomes = late
            if day < 0 or day >= len(self.days) or self.days[day] is None:
                raise ValueError(f"day {day}")
            p, self.days[day] = self.days[day], None
            news[len(self.values) - 1] = (np.sum(outcomes) - p.sum()) / np.sqrt((p * (1 - p)).sum())
        for number, z in news.items():
            self.values[number] += self.w * (z - self.values[number])
        return max(map(abs, self.values)) > self.limit
