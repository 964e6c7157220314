"""Objects that can be called in place of functions; dicts and lists of derived classes."""

# %% q1
from collections import OrderedDict, namedtuple

Leak = namedtuple("Leak", "column reason")


class Rule:
    """A reason, and whether it applies to a column of an inspected table."""

    def __init__(self, reason, applies):
        self.reason, self.applies = reason, applies


class LeakFinder:
    rules = []

    def rule(reason, rules=rules):
        def keep(method):
            rules.append(Rule(reason, method))
            return method

        return keep

    def __call__(self, df, target, index_time, dictionary):
        self.df, self.time, self.dictionary = df, index_time, dictionary
        self.y = df[target].to_numpy().astype(bool)
        self.words = [
            n for n in df if df[n].dtype.kind not in "biuf" and len(set(df[n].dropna())) <= 50
        ]
        found = (
            Leak(name, next((r.reason for r in self.rules if r.applies(self, name)), None))
            for name in df
            if name != target
        )
        return [leak for leak in found if leak.reason]

    def auc(self, scores, rows):
        well, ill = np.sort(scores[rows & ~self.y]), scores[rows & self.y]
        if not well.size or not ill.size:
            return 0.5
        wins = np.searchsorted(well, ill, "left") + np.searchsorted(well, ill, "right")
        return max(a := wins.mean() / (2 * well.size), 1 - a)

    def numbers(self, name):
        if self.df[name].dtype.kind not in "biuf":
            return None, None
        values = self.df[name].to_numpy(float)
        return values, ~np.isnan(values)

    @rule("after")
    def after(self, name):
        return name in self.dictionary and self.dictionary[name]["known"] > self.time

    @rule("future")
    def future(self, name):
        values, known = self.numbers(name)
        if values is None or self.dictionary.get(name, {}).get("kind") != "moment":
            return False
        return values[known].max(initial=-np.inf) > self.time

    @rule("copy")
    def copied(self, name):
        values, known = self.numbers(name)
        return values is not None and self.auc(values, known) >= 0.98

    @rule("encoding")
    def encodes(self, name):
        values, known = self.numbers(name)
        if values is None or not known.all() or values.min() == values.max():
            return False
        return any(self.equals_means(values, other) for other in self.words)

    def equals_means(self, values, other):
        column = self.df[other]
        for word in column.unique():
            rows = (column.isna() if pd.isna(word) else column == word).to_numpy()
            if np.abs(values[rows] - self.y[rows].mean()).max() > 1e-6:
                return False
        return True

    @rule("order")
    def ordered(self, name):
        values, known = self.numbers(name)
        if values is None:
            return False
        seen = values[known]
        different = len(set(seen.tolist())) == len(seen)
        return (
            different
            and all(v.is_integer() for v in seen.tolist())
            and self.auc(values, known) >= 0.6
        )

    @rule("missing")
    def missing(self, name):
        return self.auc(self.df[name].isna().to_numpy(float), np.full(len(self.df), True)) >= 0.75


find_leaks = LeakFinder()


# %% q3
class Gap:
    def __call__(self, report, metric):
        best = worst = None
        for row in report[report["status"].isin(["ok"])].itertuples():
            value, low, high = (getattr(row, metric + end) for end in ("", "_lo", "_hi"))
            if value == value:
                best = max(best or (value, low, high, row.group), (value, low, high, row.group))
                worst = min(worst or (value, low, high, row.group), (value, low, high, row.group))
        if best is None or best[3] == worst[3]:
            nothing = float("nan")
            return OrderedDict(
                high=None, low=None, gap=nothing, lo=nothing, hi=nothing, claim=False
            )
        a, b = best, worst
        lo = a[0] - b[0] - np.hypot(a[0] - a[1], b[2] - b[0])
        hi = a[0] - b[0] + np.hypot(a[2] - a[0], b[0] - b[1])
        return OrderedDict(
            high=a[3], low=b[3], gap=a[0] - b[0], lo=lo, hi=hi, claim=np.bool_(lo > 0)
        )


class Range:
    """Over groups, of the share of flagged rows among those of a label; ``None`` is all rows."""

    def __init__(self, label):
        self.label = label

    def rows(self, y):
        y = np.asarray(y)
        return np.arange(len(y)) if self.label is None else np.flatnonzero(y == self.label)

    def __call__(self, y, flagged, groups):
        rows = self.rows(y)
        names = np.asarray(groups)[rows]
        decisions = np.asarray(flagged)[rows].astype(float)
        shares = [decisions[names == name].mean() for name in set(names.tolist())]
        return max(shares) - min(shares) if len(shares) > 1 else 0.0


class EqualisedOdds:
    parts = (Range(0), Range(1))

    def __call__(self, y, flagged, groups):
        return max(part(y, flagged, groups) for part in self.parts)


class PermutationTest:
    metrics = {"tpr": Range(1), "fpr": Range(0), "rate": Range(None)}

    def __call__(self, y, flagged, groups, metric="tpr", B=999, seed=0):
        if metric not in self.metrics:
            raise ValueError(f"{metric} is none of {list(self.metrics)}")
        statistic = self.metrics[metric]
        rows = statistic.rows(y)
        y, flagged, groups = (np.asarray(v)[rows] for v in (y, flagged, groups))
        rng = np.random.default_rng(seed)
        seen = statistic(y, flagged, groups)
        null = [statistic(y, rng.permutation(flagged), groups) for _ in range(B)]
        return (1 + sum(value > seen - 1e-9 for value in null)) / (1 + B)


gap, equalised_odds_difference, permutation_p = Gap(), EqualisedOdds(), PermutationTest()


# %% q5
class Auditor:
    def __call__(self, predict, X, y, edits, margin=0.1, alpha=0.05):
        self.y = np.asarray(y, bool)
        if self.y.size < 2:
            raise ValueError("too few lesions")
        pairs = {name: [self.ask(predict, part) for part in pair] for name, pair in edits.items()}
        return OrderedDict(
            auc=self.auc(self.ask(predict, X)),
            edits=OrderedDict(
                (name, self.effect(*pair, margin, alpha)) for name, pair in pairs.items()
            ),
        )

    def ask(self, predict, images):
        if np.shape(images)[0] != self.y.size:
            raise ValueError("as many images as labels, please")
        return np.asarray(predict(images))

    def effect(self, off, on, margin, alpha):
        d = on - off
        lo, hi = d.mean() + stats.sem(d) * stats.t.ppf([alpha / 2, 1 - alpha / 2], d.size - 1)
        turned = np.where(self.y, off, on), np.where(self.y, on, off)
        return OrderedDict(
            delta=d.mean(), lo=lo, hi=hi, flag=(lo > margin) | (hi < -margin),
            auc_against=min(map(self.auc, turned)),
        )  # fmt: skip

    def auc(self, scores):
        pos, neg = scores[self.y], scores[~self.y]
        if not pos.size or not neg.size:
            return np.nan
        u = stats.mannwhitneyu(pos, neg, method="asymptotic").statistic
        return u / pos.size / neg.size


shortcut_report = Auditor()


# %% q6
class Path:
    """The straight line, whose mean slope is kept as it is walked."""

    def __call__(self, model, x, x0, steps=64):
        start, way = x0.detach(), (x - x0).detach()
        mean = torch.zeros(x.shape, dtype=x.dtype)
        for number, part in enumerate((np.arange(steps) + 0.5) / steps, 1):
            point = torch.autograd.Variable(start + float(part) * way, requires_grad=True)
            with torch.enable_grad():
                slope = torch.autograd.grad(torch.sum(model(point)), [point])[0]
            mean += (slope - mean) / number
        return mean * way


class Cascade:
    def __init__(self, bound):
        self.bound = bound

    def __call__(self, model, explainer, x, seed=0):
        from copy import deepcopy

        self.before, network = self.ranked(explainer(model, x)), deepcopy(model)
        steps = OrderedDict()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            for name in [n for n, m in network.named_modules() if self.is_layer(m)][::-1]:
                network.get_submodule(name).reset_parameters()
                steps[name] = self.compare(self.ranked(explainer(network, x)))
        return OrderedDict(layers=steps, flag=np.mean(list(steps.values())) > self.bound)

    @staticmethod
    def is_layer(module):
        return hasattr(module, "reset_parameters") and any(
            p is not None for p in module._parameters.values()
        )

    @staticmethod
    def ranked(maps):
        return stats.rankdata(np.abs(maps.detach().numpy()).reshape(len(maps), -1), axis=1)

    def compare(self, after):
        total = 0.0
        for a, b in zip(self.before, after):
            if a.std() > 0 and b.std() > 0:
                total += np.corrcoef(a, b)[0, 1]
        return total / len(after)


integrated_gradients, saliency_sanity = Path(), Cascade(0.5)


# %% q8
from dataclasses import dataclass, field


@dataclass
class Chart:
    """One EWMA chart, in standard deviations that it has at its age."""

    weight: float = 0.2
    value: float = 0.0
    age: int = 0

    def feed(self, z):
        self.value += self.weight * (z - self.value)
        self.age += 1

    @property
    def height(self):
        w = self.weight
        variance = w / (2 - w) * (1 - (1 - w) ** (2 * max(self.age, 1)))
        return abs(self.value) / variance**0.5


class DriftMonitor:
    """EWMA charts whose limits are exact from the first day on (Markov chains would do as well)."""

    def __init__(self, ref, arl0=100):
        self.ref = np.column_stack([ref["x"], ref["p"]]).astype(float)
        self.charts = [Chart() for _ in range(self.ref.shape[1] + 1)]
        self.limit = self.simulate(1.35 * arl0)
        self.day, self.pending = 0, OrderedDict()

    def simulate(self, wanted, runs=250):
        rng, days, charts = np.random.default_rng(3), round(4 * wanted), len(self.charts)
        covariance = np.eye(charts)
        covariance[:-1, :-1] = np.corrcoef(self.ref, rowvar=False)
        values, eigen = np.linalg.eigh(covariance)
        root = eigen * np.sqrt(np.maximum(values, 0))
        w, e, peak = self.charts[0].weight, np.zeros((runs, charts)), np.zeros(runs)
        peaks = []
        for day in range(1, days + 1):
            e = e + w * (rng.standard_normal((runs, charts)) @ root.T - e)
            sd = (w / (2 - w) * (1 - (1 - w) ** (2 * day))) ** 0.5
            peak = np.maximum(peak, np.abs(e).max(axis=1) / sd)
            peaks.append(peak)
        peaks = np.array(peaks)

        def run_length(limit):
            alarms = max(1, int(np.sum(peaks[-1] > limit)))
            return (np.sum(peaks <= limit) + alarms) / alarms

        limits = np.arange(1.5, 6, 0.01)
        return next((limit for limit in limits if run_length(limit) >= wanted), 6)

    def update(self, x, p, late=None):
        values = np.column_stack([x, p]).astype(float)
        error = self.ref.std(axis=0) * np.sqrt(1 / len(values) + 1 / len(self.ref))
        for chart, z in zip(self.charts, (values.mean(axis=0) - self.ref.mean(axis=0)) / error):
            chart.feed(z)
        self.pending[self.day] = values[:, -1]
        self.day += 1
        if late is not None:
            day, y = late
            if day not in self.pending:
                raise ValueError(f"nothing is expected of day {day}")
            p = self.pending.pop(day)
            self.charts[-1].feed(float(np.sum(y - p) / np.sqrt(np.sum(p * (1 - p)))))
        return any(chart.height > self.limit for chart in self.charts)


# %% q9
class Facts(OrderedDict):
    """The parts of a card that are text."""


facts = Facts(
    name="Day-3 mortality network of the course",
    intended_use=Facts(
        purpose="To be audited by students, and for nothing else.",
        users="Students who read this card before they use it.",
        patients="Gravely ill adults of the SUPPORT study in the USA.",
    ),
    out_of_scope=[
        "Clinical use of whatever kind or extent.",
        "Children and patients who are not gravely ill.",
    ],
    data=Facts(
        source="SUPPORT2 (Knaus et al. 1995), test part", years="1989/1994", simulated=False
    ),
    limitations=[
        "Thirty-year-old data from five hospitals.",
        "Thirteen patients have no race on record.",
    ],
)


class CardWriter:
    def __call__(self, y, p, threshold, groups, facts):
        self.y, self.p, self.threshold = np.asarray(y), np.asarray(p, float), threshold
        self.report = subgroup_report(y, p, groups, threshold)
        parts = ("performance", "calibration", "subgroups", "gap")
        return facts | {part: getattr(self, part)() for part in parts}

    @staticmethod
    def number(value):
        return None if value != value else round(float(value), 4)

    def performance(self):
        y, p, acted = self.y, self.p, self.p >= self.threshold
        tp, fp = int((acted & (y == 1)).sum()), int((acted & (y == 0)).sum())
        pos, neg = int((y == 1).sum()), int((y == 0).sum())
        auc = stats.mannwhitneyu(p[y == 1], p[y == 0], method="asymptotic").statistic / pos / neg
        numbers = {
            "prevalence": pos / len(y), "threshold": self.threshold, "auc": auc, "tpr": tp / pos,
            "fpr": fp / neg, "ppv": tp / (tp + fp), "brier": np.square(y - p).mean(),
        }  # fmt: skip
        return {"n": len(y)} | {name: self.number(value) for name, value in numbers.items()}

    def calibration(self):
        null = np.asarray(ece_null(self.p))
        return {
            "ece": self.number(ece(self.y, self.p)),
            "ece_null_95": self.number(np.quantile(null, 0.95)),
        }

    def subgroups(self):
        names = [f"{m}{e}" for m in ("auc", "tpr", "fpr") for e in ("", "_lo", "_hi")]
        return [
            {"group": row["group"], "n": int(row["n"]), "status": row["status"]}
            | {name: self.number(row[name]) for name in names}
            for _, row in self.report.iterrows()
        ]

    def gap(self):
        found = gap(self.report, "tpr")
        numbers = {name: self.number(found[name]) for name in ("gap", "lo", "hi")}
        return {"metric": "tpr", "claim": bool(found["claim"]), **numbers}


model_card = CardWriter()
card = model_card(test.y, p_test, THRESHOLD, pd.DataFrame({"race": test.meta["race"]}), facts)
