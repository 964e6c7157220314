"""Recursion and generators where the solution has arrays and loops."""

# %% q1
import itertools
import math


def _dealt(queue, fractions, dealt=(0, 0, 0), turn=1):
    """One part after the other, each patient to the part that lags most."""
    for patient in queue:
        lags = [f * turn - d for f, d in zip(fractions, dealt)]
        part = max(range(3), key=lags.__getitem__)
        dealt = tuple(d + (k == part) for k, d in enumerate(dealt))
        turn += 1
        yield patient, part


def patient_split(patient_id, y, fractions=(0.7, 0.15, 0.15), seed=0):
    ids = [p.item() if hasattr(p, "item") else p for p in patient_id]
    ill = {p for p, label in zip(ids, y) if label}
    rng = np.random.default_rng(seed)
    strata = (sorted(set(ids) - ill), sorted(ill))
    shuffled = ([group[i] for i in rng.permutation(len(group))] for group in strata)
    part_of = dict(_dealt(itertools.chain.from_iterable(shuffled), fractions))
    return [
        np.fromiter((r for r, p in enumerate(ids) if part_of[p] == k), np.int64) for k in range(3)
    ]


# %% q2
def _moments(X):
    """Count, mean and sum of squares of each half, put together (Chan, Golub and LeVeque)."""
    if len(X) == 1:
        plane = np.asarray(X[0], dtype=np.float64).reshape(3, -1)
        mean = plane[:, 0] + (plane - plane[:, :1]).mean(1)
        return plane.shape[1], mean, ((plane - mean[:, None]) ** 2).sum(1)
    (n, m, q), (k, l, r) = _moments(X[: len(X) // 2]), _moments(X[len(X) // 2 :])
    d = l - m
    return n + k, m + d * k / (n + k), q + r + d**2 * n * k / (n + k)


def fit_normaliser(X):
    n, mean, squares = _moments(X)
    return mean, np.array([math.sqrt(q / n) if q > 0 else 1.0 for q in squares])


def apply(X, stats):
    kind = "d" if np.asarray(X).dtype == np.float64 else "f"
    planes = (
        [(plane.astype(np.float64) - m) / s for plane, m, s in zip(image, *stats)] for image in X
    )
    return np.array(list(planes), dtype=kind)


def augment(x, mask, rng):
    def moves():
        for axis in (1, 2):
            if rng.random() > 0.5:
                yield lambda v, axis=axis: np.flip(v, axis - 3)
        if mask.shape[0] == mask.shape[1]:
            turns = int(rng.integers(4))
            yield lambda v: np.rot90(v, turns, (-2, -1))

    def moved(v, rest):
        return moved(rest[0](v), rest[1:]) if rest else np.array(v)

    chosen = list(moves())
    return moved(x, chosen), moved(mask, chosen)


# %% q3
def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """A sum over the taps of the kernel: each is a shifted image times a matrix of channels."""
    pair = lambda v: (v, v) if isinstance(v, int) else tuple(v)
    (sy, sx), (py, px), (dy, dx) = pair(stride), pair(padding), pair(dilation)
    kh, kw = w.shape[2:]
    padded = F.pad(x, (px, px, py, py))
    rows = (padded.shape[2] - dy * (kh - 1) - 1) // sy + 1
    columns = (padded.shape[3] - dx * (kw - 1) - 1) // sx + 1

    def taps():
        for u, v in itertools.product(range(kh), range(kw)):
            seen = padded[:, :, u * dy :: sy, v * dx :: sx][:, :, :rows, :columns]
            seen = seen.reshape(len(x), groups, -1, rows * columns)
            matrix = w[:, :, u, v].reshape(groups, -1, w.shape[1])
            yield matrix @ seen

    out = sum(taps()).reshape(len(x), len(w), rows, columns)
    return out if b is None else out + b[:, None, None]


# %% q4
class BasicBlock(nn.Module):
    def __init__(self, cin, cout, stride=1):
        super().__init__()
        layers = {
            "conv1": nn.Conv2d(cin, cout, 3, stride, 1, bias=False),
            "bn1": nn.BatchNorm2d(cout),
            "conv2": nn.Conv2d(cout, cout, 3, 1, 1, bias=False),
            "bn2": nn.BatchNorm2d(cout),
        }
        for name, layer in layers.items():
            setattr(self, name, layer)
        way = [nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout)]
        self.shortcut = nn.Sequential(*way) if (cin, 1) != (cout, stride) else nn.Identity()

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y))
        y += self.shortcut(x)
        return y.relu_()


def _stages(width, n, cin, level=0):
    if level < 3:
        cout = width << level
        yield nn.Sequential(
            BasicBlock(cin, cout, 1 + (level > 0)), *(BasicBlock(cout, cout) for _ in range(1, n))
        )
        yield from _stages(width, n, cout, level + 1)


class SmallResNet(nn.Module):
    def __init__(self, width=16, n=1, n_classes=2, in_channels=3):
        super().__init__()
        self.standardise = lab.Standardise(in_channels)
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.stages = nn.Sequential(*_stages(width, n, width))
        self.head = nn.Linear(width << 2, n_classes)
        self.body = lambda x: self.stages(self.stem(self.standardise(x)))

    def forward(self, x):
        return self.head(
            torch.einsum("bchw->bc", self.body(x)) / (-(-x.shape[2] // 8) * -(-x.shape[3] // 8))
        )


def _layers(cfg, channels):
    if not cfg:
        return [], channels
    first, *rest = cfg
    if first == "M":
        after, channels = _layers(rest, channels)
        return [nn.MaxPool2d(2, 2), *after], channels
    here = [nn.Conv2d(channels, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU(True)]
    after, channels = _layers(rest, first)
    return here + after, channels


class VGG(nn.Sequential):
    def __init__(self, cfg, n_classes, in_channels):
        super().__init__()
        layers, channels = _layers(list(cfg), in_channels)
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(channels, n_classes)


def vgg(cfg, n_classes=2, in_channels=3):
    return VGG(cfg, n_classes, in_channels)


# %% q5
def confusion(y, yhat):
    pairs = list(zip(map(int, y), map(int, yhat)))
    return np.array([[pairs.count((t, d)) for d in range(2)] for t in range(2)], dtype=np.int64)


def binary_metrics(y, yhat):
    (tn, fp), (fn, tp) = confusion(y, yhat).tolist()
    parts = {
        "accuracy": (tp + tn, fp + fn), "sensitivity": (tp, fn), "specificity": (tn, fp),
        "ppv": (tp, fp), "npv": (tn, fn), "f1": (2 * tp, fp + fn),
    }  # fmt: skip
    rates = {k: good / (good + bad) if good + bad else math.nan for k, (good, bad) in parts.items()}
    return {
        **rates,
        "balanced_accuracy": math.fsum((rates["sensitivity"], rates["specificity"])) / 2,
    }


def roc_auc(y, s):
    """Pairs won, counted while the two sorted halves are merged."""

    def solved(items):
        if len(items) < 2:
            return items, 0.0
        (left, a), (right, b) = solved(items[: len(items) // 2]), solved(items[len(items) // 2 :])
        won = a + b
        for half, other in ((left, right), (right, left)):
            below = sorted(v for v, label in other if not label)
            for v, label in half:
                if label:
                    won += sum(v > u for u in below) + 0.5 * sum(v == u for u in below)
        return left + right, won

    items = [(float(v), bool(label)) for v, label in zip(s, y)]
    n1 = sum(label for _, label in items)
    n0 = len(items) - n1
    return solved(items)[1] / (n1 * n0) if n1 and n0 else math.nan


def _steps(y, s):
    """From the highest score down: score, positives and people at or above it."""
    pairs = sorted(zip(map(float, s), map(int, y)), key=lambda p: -p[0])
    found = called = 0
    for score, group in itertools.groupby(pairs, key=lambda p: p[0]):
        labels = [label for _, label in group]
        found, called = found + sum(labels), called + len(labels)
        yield score, found, called


def average_precision(y, s):
    total, before, area = sum(map(int, y)), 0, 0.0
    for _, found, called in _steps(y, s):
        area += (found - before) * found / called
        before = found
    return area / total if total else math.nan


def choose_threshold(y_val, s_val, min_sensitivity):
    total = sum(map(int, y_val))
    good = (t for t, found, _ in _steps(y_val, s_val) if total and found / total >= min_sensitivity)
    return next(good, math.nan)


from fractions import Fraction


def ppv_at_prevalence(sens, spec, prev):
    a, b, c = (Fraction(float(v)) for v in (sens, spec, prev))
    positive = a * c + (1 - b) * (1 - c)
    return float(a * c / positive) if positive else math.nan


# %% q6
def bootstrap_ci(y, s, patient_id, stat, B=1000, alpha=0.05, seed=0):
    y, s = np.asarray(y), np.asarray(s)
    ids = [p for p in patient_id]
    names = list(dict.fromkeys(ids))
    rows = {name: [r for r, p in enumerate(ids) if p == name] for name in names}

    def resamples(rng):
        for _ in range(B):
            drawn = rng.integers(len(names), size=len(names))
            chosen = list(itertools.chain.from_iterable(rows[names[k]] for k in drawn))
            yield float(stat(y[chosen], s[chosen]))

    estimate = float(stat(y, s))
    if len(names) < 2:
        return estimate, math.nan, math.nan
    values = sorted(v for v in resamples(np.random.default_rng(seed)) if not math.isnan(v))
    at = lambda q: values[min(len(values) - 1, max(0, round(q * (len(values) - 1))))]
    return estimate, at(alpha / 2), at(1 - alpha / 2)


# %% q8
def fit_with_early_stopping(model, step, evaluate, patience, mode="max", max_epochs=100):
    weights = lambda: copy.deepcopy(dict(model.state_dict()))
    sign = -1.0 if mode == "min" else 1.0

    def go_on(epoch, best_score, best, waited):
        if epoch == max_epochs or waited == patience:
            return best
        step(model)
        score = sign * evaluate(model)
        if score > best_score:
            return go_on(epoch + 1, score, weights(), 0)
        return go_on(epoch + 1, best_score, best, waited + 1)

    best = go_on(0, -math.inf, weights(), 0)
    model.load_state_dict(best)
    return best


# %% q11
def box_iou(a, b):
    def side(p, q, k):
        return max(0.0, min(p[k + 2], q[k + 2]) - max(p[k], q[k]))

    def one(p, q):
        both = side(p, q, 0) * side(p, q, 1)
        return (
            both / (side(p, p, 0) * side(p, p, 1) + side(q, q, 0) * side(q, q, 1) - both)
            if both
            else 0.0
        )

    return np.array([[one(p, q) for q in b] for p in a], dtype=np.float64).reshape(len(a), len(b))


def nms(boxes, scores, thr, labels=None):
    def survivors(queue):
        if not queue:
            return []
        best, *rest = queue
        other = lambda i: labels is not None and labels[i] != labels[best]
        overlap = box_iou([boxes[best]], [boxes[i] for i in rest])[0]
        return [best, *survivors([i for i, o in zip(rest, overlap) if other(i) or not o > thr])]

    return np.array(survivors(sorted(range(len(scores)), key=lambda i: (-scores[i], i))), dtype=int)


import heapq


def _hits(boxes, scores, truth, iou_thr):
    def of_image(i):
        order = sorted(range(len(scores[i])), key=lambda k: -scores[i][k])
        free = set(range(len(truth[i])))
        for k in order:
            table = box_iou([boxes[i][k]], truth[i])[0] if len(truth[i]) else []
            best = max(free, key=lambda j: table[j], default=None)
            hit = best is not None and bool(table[best] >= iou_thr)
            if hit:
                free.remove(best)
            yield -float(scores[i][k]), i, k, hit

    # images do not compete for true boxes: match in each, then merge
    for score, _, _, hit in heapq.merge(*(of_image(i) for i in range(len(boxes)))):
        yield -score, hit


def average_precision_det(boxes, scores, truth, iou_thr=0.5):
    n = sum(len(t) for t in truth)
    hits = [hit for _, hit in _hits(boxes, scores, truth, iou_thr)]
    precision = [a / k for k, a in enumerate(itertools.accumulate(hits), 1)]
    ceiling = list(itertools.accumulate(reversed(precision), max))[::-1]
    return sum(c for c, hit in zip(ceiling, hits) if hit) / n if n else math.nan


def froc(boxes, scores, truth, fp_rates=(0.125, 0.25, 0.5, 1, 2, 4, 8), iou_thr=0.5):
    n = sum(len(t) for t in truth)
    if not n:
        return np.array([math.nan] * len(fp_rates)), math.nan
    points, right, wrong = [(0.0, 0.0)], 0, 0
    for _, group in itertools.groupby(_hits(boxes, scores, truth, iou_thr), key=lambda p: p[0]):
        hits = [hit for _, hit in group]
        right, wrong = right + sum(hits), wrong + len(hits) - sum(hits)
        points.append((wrong / len(truth), right / n))
    found = np.array(
        [max(share for alarms, share in points if alarms <= rate) for rate in fp_rates]
    )
    return found, found.sum() / len(found)
