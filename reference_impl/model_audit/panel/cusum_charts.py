"""CUSUM charts; SciPy's own paired test; gradients by vmap; a card that went through JSON."""


# %% q5
def shortcut_report(predict, X, y, edits, margin=0.1, alpha=0.05):
    from scipy.stats import ttest_1samp
    from sklearn.metrics import roc_auc_score

    labels = [int(label) for label in y]
    if len(labels) < 2:
        raise ValueError("fewer than two lesions")

    def ask(images):
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images of {len(labels)} lesions")
        return np.array(predict(images))

    def auc(scores):
        return float(roc_auc_score(labels, scores)) if len(set(labels)) == 2 else float("nan")

    answers = {name: tuple(map(ask, pair)) for name, pair in edits.items()}
    report = {"auc": auc(ask(X)), "edits": {}}
    for name, (off, on) in answers.items():
        d = on - off
        if np.ptp(d) > 0:
            lo, hi = ttest_1samp(d, 0).confidence_interval(1 - alpha)
        else:
            lo = hi = d.mean()
        report["edits"][name] = {
            "delta": np.mean(d),
            "lo": lo,
            "hi": hi,
            "flag": bool(lo > margin or hi < -margin),
            "auc_against": min(auc(np.choose(np.array(labels) ^ k, [on, off])) for k in (0, 1)),
        }
    return report


# %% q6
def integrated_gradients(model, x, x0, steps=64):
    """torch.func: one gradient a point and a row, mapped over both."""
    x0 = x0.expand_as(x)
    slope = torch.func.grad(lambda one: model(one[None])[0])

    def along(start, end):
        parts = (torch.arange(steps, dtype=start.dtype) + 0.5) / steps
        points = torch.stack([torch.lerp(start, end, float(part)) for part in parts])
        return torch.func.vmap(slope, chunk_size=64)(points).mean(dim=0) * (end - start)

    return torch.stack([along(a, b) for a, b in zip(x0.detach(), x.detach())]).detach()


def saliency_sanity(model, explainer, x, seed=0):
    from copy import deepcopy

    def frame(maps):
        return pd.DataFrame(np.abs(np.asarray(maps.detach())).reshape(len(maps), -1).T)

    before = frame(explainer(model, x))
    copied, state = deepcopy(model), torch.random.get_rng_state()
    torch.random.manual_seed(1000 + seed)
    layers = dict(copied.named_modules())
    found = {}
    for name in list(layers)[::-1]:
        own = list(layers[name].parameters(recurse=False))
        if not own or not callable(getattr(layers[name], "reset_parameters", None)):
            continue
        layers[name].reset_parameters()
        after = frame(explainer(copied, x))
        found[name] = float(before.corrwith(after, method="spearman").fillna(0.0).mean())
    torch.random.set_rng_state(state)
    return dict(layers=found, flag=bool(pd.Series(found).mean() > 0.5))


# %% q8
class DriftMonitor:
    """Two-sided CUSUM of every chart, allowance of half a standard deviation."""

    def __init__(self, ref, arl0=100):
        self.seen = np.c_[np.asarray(ref["x"], float), np.asarray(ref["p"], float)]
        self.mean, self.sd = self.seen.mean(0), self.seen.std(0, ddof=1)
        self.size = len(self.seen)
        self.up = self.down = np.zeros(self.seen.shape[1] + 1)
        self.told, self.scores = set(), []
        self.bound = self.find_bound(1.3 * arl0)

    @staticmethod
    def step(up, down, z):
        return np.maximum(0, up + z - 0.5), np.maximum(0, down - z - 0.5)

    def find_bound(self, wanted, runs=300):
        root = np.linalg.cholesky(np.corrcoef(self.seen.T) + 1e-9 * np.eye(len(self.mean)))
        rng, days = np.random.default_rng(5), int(4 * wanted)
        up = down = np.zeros((runs, len(self.mean) + 1))
        highest, record = np.zeros(runs), []
        for _ in range(days):
            z = rng.normal(size=(runs, len(self.mean) + 1))
            z[:, :-1] = z[:, :-1] @ root.T
            up, down = self.step(up, down, z)
            highest = np.maximum(highest, np.maximum(up, down).max(axis=1))
            record.append(highest)
        record = np.array(record)
        for bound in np.arange(1, 30, 0.05):
            alarms = (record[-1] > bound).sum()
            if (record <= bound).sum() + alarms >= wanted * max(1, alarms):
                return bound
        raise RuntimeError("no bound below 30")

    def update(self, x, p, late=None):
        p = np.array(p, float)
        day = np.c_[np.array(x, float), p].mean(0)
        z = np.zeros(len(self.up))
        z[:-1] = (day - self.mean) / (self.sd * np.sqrt(1 / len(p) + 1 / self.size))
        self.scores.append(p)
        known = np.full(len(z), True)
        known[-1] = late is not None
        if late is not None:
            day, y = int(late[0]), np.array(late[1], float)
            if day in self.told or not 0 <= day < len(self.scores):
                raise ValueError("told before, or of a day to come")
            self.told.add(day)
            then = self.scores[day]
            z[-1] = np.sum(y - then) / np.sqrt(np.sum(then * (1 - then)))
        up, down = self.step(self.up, self.down, z)
        self.up, self.down = np.where(known, up, self.up), np.where(known, down, self.down)
        return bool(np.any(self.up > self.bound) or np.any(self.down > self.bound))


# %% q9
import json

facts = json.loads("""{
  "name": "SUPPORT2 in-hospital mortality, day-3 network",
  "intended_use": {
    "purpose": "An exercise in auditing; it may order patients for a talk on goals of care.",
    "users": "Participants of this course, under supervision.",
    "patients": "Severely ill adults as they were enrolled by five hospitals in SUPPORT."
  },
  "out_of_scope": ["Use for the care of any individual patient.", "Populations other than SUPPORT2."],
  "data": {"source": "SUPPORT2, test part of a random split", "years": "1989-1994", "simulated": false},
  "limitations": ["Old data; practice has changed since.", "Small groups cannot be assessed at all."]
}""")


def model_card(y, p, threshold, groups, facts):
    y, p = np.asarray(y), np.asarray(p)
    report, null = subgroup_report(y, p, groups, threshold), ece_null(p)
    total = subgroup_report(y, p, pd.DataFrame({"a": np.zeros(len(y))}), threshold, 2, min_n=1)
    widest = gap(report, "tpr")
    ends = [m + end for m in ("auc", "tpr", "fpr") for end in ("", "_lo", "_hi")]
    round3 = lambda v: None if v is None or np.isnan(v) else round(float(v), 3)
    whole = {name: round3(total[name].iloc[0]) for name in ("auc", "tpr", "fpr", "ppv")}
    written = json.dumps(
        facts
        | {
            "performance": whole
            | {
                "n": len(y),
                "prevalence": round3(y.mean()),
                "threshold": round3(threshold),
                "brier": round3(((p - y) ** 2).mean()),
            },
            "calibration": {
                "ece": round3(ece(y, p)),
                "ece_null_95": round3(np.percentile(null, 95)),
            },
            "subgroups": [
                {
                    "group": row.group,
                    "n": int(row.n),
                    "status": row.status,
                    **{name: round3(getattr(row, name)) for name in ends},
                }
                for row in report.itertuples()
            ],
            "gap": {"metric": "tpr", "claim": bool(widest["claim"])}
            | {name: round3(widest[name]) for name in ("gap", "lo", "hi")},
        }
    )
    return json.loads(written)


card = model_card(test.y, p_test, THRESHOLD, pd.DataFrame({"race": test.meta["race"]}), facts)
