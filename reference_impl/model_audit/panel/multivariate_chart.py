"""One chart of the distance of all means together; windows over weeks; random numbers by Python."""

# %% q3
import random


def gap(report, metric):
    ok = report[report["status"].eq("ok") & np.isfinite(report[metric].astype(float))]
    if ok["group"].nunique() < 2:
        return {
            "high": None,
            "low": None,
            "gap": np.nan,
            "lo": np.nan,
            "hi": np.nan,
            "claim": False,
        }
    best = {}
    for _, a in ok.iterrows():
        for _, b in ok.iterrows():
            d = a[metric] - b[metric]
            if a["group"] != b["group"] and (not best or d > best["gap"]):
                below = np.sqrt(
                    (a[metric] - a[f"{metric}_lo"]) ** 2 + (b[f"{metric}_hi"] - b[metric]) ** 2
                )
                above = np.sqrt(
                    (a[f"{metric}_hi"] - a[metric]) ** 2 + (b[metric] - b[f"{metric}_lo"]) ** 2
                )
                best = {
                    "high": a["group"],
                    "low": b["group"],
                    "gap": d,
                    "lo": d - below,
                    "hi": d + above,
                }
    return best | {"claim": best["lo"] > 0}


def share_range(pairs):
    by_name = {}
    for flag, name in pairs:
        by_name.setdefault(name, []).append(flag)
    shares = sorted(sum(flags) / len(flags) for flags in by_name.values())
    return shares[-1] - shares[0] if shares else 0.0


def equalised_odds_difference(y, flagged, groups):
    rows = list(zip(map(int, y), map(int, flagged), groups))
    return max(share_range([(f, g) for label, f, g in rows if label == k]) for k in (0, 1))


def permutation_p(y, flagged, groups, metric="tpr", B=999, seed=0):
    labels = {"tpr": {1}, "fpr": {0}, "rate": {0, 1}}
    if metric not in labels:
        raise ValueError(f"unknown metric {metric!r}")
    rows = [(int(f), g) for label, f, g in zip(y, flagged, groups) if int(label) in labels[metric]]
    flags, names = [f for f, _ in rows], [g for _, g in rows]
    seen, rng = round(share_range(rows), 10), random.Random(f"permutation {seed}")
    hits = sum(
        round(share_range(zip(rng.sample(flags, len(flags)), names)), 10) >= seen for _ in range(B)
    )
    return (hits + 1) / (B + 1)


# %% q6
def integrated_gradients(model, x, x0, steps=64):
    """Jacobian-vector products of torch.autograd.functional, ten points at a time."""
    x, x0 = x.detach(), torch.zeros_like(x) + x0.detach()
    parts = torch.linspace(0.5 / steps, 1 - 0.5 / steps, steps, dtype=torch.float64)
    total = torch.zeros_like(x)
    for some in parts.split(10):
        points = torch.cat([x0 + (x - x0) * part.to(x.dtype) for part in some])
        value, slope = torch.autograd.functional.vjp(
            model, points, torch.ones(len(points), dtype=model(points[:1]).dtype)
        )
        total += slope.reshape(len(some), *x.shape).sum(dim=0)
    return (x - x0) * total / steps


def saliency_sanity(model, explainer, x, seed=0):
    """The network is rebuilt from its weights; SciPy ranks all images at once."""
    import copy

    trained = stats.rankdata(explainer(model, x).detach().abs().flatten(1).numpy(), axis=1)
    ruined, state = copy.deepcopy(model), torch.get_rng_state()
    names = [name for name, _ in ruined.named_modules()]
    found = {}
    for number, name in enumerate(names[::-1]):
        module = ruined.get_submodule(name)
        if not hasattr(module, "reset_parameters") or not list(module.parameters(recurse=False)):
            continue
        torch.manual_seed(997 * seed + number)
        module.reset_parameters()
        now = stats.rankdata(explainer(ruined, x).detach().abs().flatten(1).numpy(), axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            a, b = (v - v.mean(axis=1, keepdims=True) for v in (trained, now))
            rho = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
        found[name] = float(np.nan_to_num(rho).mean())
    torch.set_rng_state(state)
    return {"layers": found, "flag": float(np.mean([*found.values()])) > 0.5}


# %% q8
class DriftMonitor:
    """Hotelling's distance of averaged means, and a sum over the last eight days with outcomes."""

    def __init__(self, ref, arl0=100):
        values = np.column_stack([ref["x"], ref["p"]]).astype(float)
        self.mean, self.inverse = values.mean(axis=0), np.linalg.inv(np.cov(values.T))
        self.n, d = len(values), values.shape[1]
        self.average, self.recent = np.zeros(d), []
        self.scores, self.known = {}, set()
        # each of two charts may alarm half as often
        rng, runs, days = np.random.default_rng(8), 400, int(6 * arl0)
        z = rng.standard_normal((days, runs, d))
        e, heights = np.zeros((runs, d)), []
        for one in z:
            e = 0.8 * e + 0.2 * one
            heights.append((e**2).sum(axis=1))
        self.far = self.bound(np.array(heights), 2.6 * arl0)
        steps = np.cumsum(
            np.concatenate([np.zeros((8, runs)), rng.standard_normal((days, runs))]), axis=0
        )
        self.long = self.bound(np.abs(steps[8:] - steps[:-8]), 2.6 * arl0)

    @staticmethod
    def bound(heights, wanted):
        peaks = np.maximum.accumulate(heights, axis=0)
        low, high = 0.0, peaks.max()
        for _ in range(50):
            middle = (low + high) / 2
            alarms = (peaks[-1] > middle).sum()
            enough = (peaks <= middle).sum() + alarms >= wanted * max(alarms, 1)
            low, high = (low, middle) if enough else (middle, high)
        return high

    def update(self, x, p, late=None):
        p = np.asarray(p, dtype=float)
        day = np.column_stack([np.asarray(x, dtype=float), p])
        off = (day.mean(axis=0) - self.mean) / np.sqrt(1 / len(day) + 1 / self.n)
        self.average = 0.8 * self.average + 0.2 * off
        self.scores[len(self.scores)] = p
        if late is not None:
            when, y = late
            if when in self.known or when not in self.scores:
                raise ValueError("outcomes come once, and after the day")
            self.known.add(when)
            then = self.scores[when]
            z = np.sum(np.asarray(y, dtype=float) - then) / np.sqrt(np.sum(then * (1 - then)))
            self.recent = [*self.recent[-7:], float(z)]
        distance = self.average @ self.inverse @ self.average
        return bool(distance > self.far or abs(sum(self.recent)) > self.long)
