"""Named tuples and dataclasses as results, with type hints and properties."""

# %% q1
from collections import namedtuple
from dataclasses import asdict, dataclass, field
from typing import NamedTuple


class Parts(NamedTuple):
    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def patient_split(patient_id, y, fractions=(0.7, 0.15, 0.15), seed: int = 0) -> Parts:
    """Random keys; the parts are cut from a list sorted by class and key, in turns."""
    names, rank, rows = np.unique(np.asarray(patient_id), return_inverse=True, return_counts=True)
    positive = np.zeros(len(names), dtype=int)
    np.maximum.at(positive, rank, np.asarray(y, dtype=int))
    key = np.random.RandomState(seed).uniform(size=len(names))
    order = np.lexsort((key, positive))
    # van der Corput's sequence would do too: any even walk along the sorted list keeps strata
    part = np.empty(len(names), dtype=int)
    given = np.zeros(3)
    for turn, patient in enumerate(order, start=1):
        lag = turn * np.asarray(fractions, dtype=float) - given
        part[patient] = lag.argmax()
        given[part[patient]] += 1
    return Parts(*(np.nonzero(part[rank] == k)[0].astype(np.int64) for k in range(3)))


# %% q2
Stats = namedtuple("Stats", "mean std")
Pair = namedtuple("Pair", ["image", "mask"])


def fit_normaliser(X):
    """Moments from sums, shifted by the first pixel so that nothing cancels."""
    X = np.asarray(X)
    origin = X[0, :, 0, 0].astype(np.float64)
    first, second, n = np.zeros(3), np.zeros(3), X.size / 3
    for image in X:
        d = image.astype(np.float64) - origin[:, None, None]
        first += d.sum((1, 2))
        second += np.einsum("chw,chw->c", d, d)
    variance = np.maximum(second / n - (first / n) ** 2, 0)
    std = np.sqrt(variance)
    std[second == 0] = 1.0
    return Stats(origin + first / n, std)


def apply(X, stats):
    mean, std = stats
    X = np.asarray(X)
    scale, shift = 1 / np.asarray(std), -np.asarray(mean) / np.asarray(std)
    Z = np.einsum("nchw,c->nchw", X.astype(np.float64), scale) + shift[:, None, None]
    return Z.astype(np.result_type(X.dtype, np.float32) if X.dtype == np.float64 else np.float32)


def augment(x, mask, rng):
    """Shifts that wrap around, after a flip along each axis."""
    axes = tuple(axis for axis in (-2, -1) if rng.integers(0, 2))
    by = tuple(rng.integers(-2, 3, size=2))
    move = lambda v: np.roll(np.flip(v, axes), by, axis=(-2, -1))
    return Pair(image=move(x), mask=move(mask))


# %% q5
@dataclass
class Counts:
    tn: int
    fp: int
    fn: int
    tp: int

    @classmethod
    def of(cls, y, yhat):
        code = 2 * np.asarray(y, int) + np.asarray(yhat, int)
        return cls(*(int((code == k).sum()) for k in range(4)))

    @staticmethod
    def ratio(a, b):
        return a / b if b > 0 else float("nan")

    sensitivity = property(lambda c: c.ratio(c.tp, c.tp + c.fn))
    specificity = property(lambda c: c.ratio(c.tn, c.tn + c.fp))


@dataclass
class Report:
    accuracy: float
    sensitivity: float
    specificity: float
    balanced_accuracy: float
    ppv: float
    npv: float
    f1: float


def confusion(y, yhat):
    c = Counts.of(y, yhat)
    return np.array([[c.tn, c.fp], [c.fn, c.tp]], dtype="int64")


def binary_metrics(y, yhat):
    c = Counts.of(y, yhat)
    return asdict(
        Report(
            accuracy=c.ratio(c.tp + c.tn, len(y)),
            sensitivity=c.sensitivity,
            specificity=c.specificity,
            balanced_accuracy=c.sensitivity / 2 + c.specificity / 2,
            ppv=c.ratio(c.tp, c.tp + c.fp),
            npv=c.ratio(c.tn, c.tn + c.fn),
            f1=c.ratio(c.tp, c.tp + (c.fp + c.fn) / 2),
        )
    )


@dataclass
class Scored:
    y: np.ndarray
    s: np.ndarray
    order: np.ndarray = field(init=False)

    def __post_init__(self):
        self.y, self.s = np.asarray(self.y).astype(bool), np.asarray(self.s, dtype=np.float64)
        self.order = np.argsort(self.s, kind="mergesort")

    def mid_ranks(self):
        ranks = np.empty(len(self.s))
        i = 0
        while i < len(self.s):
            j = i
            while j + 1 < len(self.s) and self.s[self.order[j + 1]] == self.s[self.order[i]]:
                j += 1
            ranks[self.order[i : j + 1]] = (i + j) / 2 + 1
            i = j + 1
        return ranks


def roc_auc(y, s):
    data = Scored(y, s)
    n1 = data.y.sum()
    n0 = len(data.y) - n1
    if n1 == 0 or n0 == 0:
        return float("nan")
    return float((data.mid_ranks()[data.y].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def average_precision(y, s):
    """As the mean over positives of the precision at their own score."""
    data = Scored(y, s)
    if not data.y.any():
        return float("nan")
    return float(np.mean([data.y[data.s >= score].mean() for score in data.s[data.y]]))


def choose_threshold(y_val, s_val, min_sensitivity):
    data = Scored(y_val, s_val)
    found = np.sort(data.s[data.y])[::-1]
    for k, score in enumerate(found, start=1):
        if k / len(found) >= min_sensitivity:
            return float(score)
    return float("nan")


def ppv_at_prevalence(sens, spec, prev):
    """Prior odds times likelihood ratio, with the two ends by themselves."""
    wrong = 1 - spec
    if prev in (0, 1):
        return float(prev) if (sens if prev else wrong) > 0 else float("nan")
    if wrong == 0:
        return 1.0 if sens > 0 else float("nan")
    odds = prev / (1 - prev) * sens / wrong
    return odds / (1 + odds)


# %% q6
class Interval(NamedTuple):
    estimate: float
    low: float = float("nan")
    high: float = float("nan")


def bootstrap_ci(y, s, patient_id, stat, B=1000, alpha=0.05, seed=0) -> Interval:
    """How often each patient is drawn is multinomial: repeat each row as often."""
    y, s = np.asarray(y), np.asarray(s)
    names, owner = np.unique(np.asarray(patient_id), return_inverse=True)
    here = Interval(float(stat(y, s)))
    n = len(names)
    if n == 1:
        return here
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=B)
    values = []
    for often in times[:, owner]:
        values.append(stat(np.repeat(y, often), np.repeat(s, often)))
    values = np.sort([v for v in values if v == v])
    if values.size == 0:
        return here
    low, high = np.interp([alpha / 2, 1 - alpha / 2], np.linspace(0, 1, len(values)), values)
    return here._replace(low=float(low), high=float(high))


# %% q10
class Overlap(NamedTuple):
    both: np.ndarray
    either: np.ndarray

    @classmethod
    def of(cls, p, m):
        p, m = (np.asarray(v).astype(bool).reshape(len(v), -1) for v in (p, m))
        return cls((p & m).sum(1), (p | m).sum(1))


def iou(p, m):
    found = Overlap.of(p, m)
    return np.divide(found.both, found.either, out=np.ones(len(p)), where=found.either > 0)


def dice(p, m):
    j = iou(p, m)
    return 2 * j / (1 + j)


def soft_dice_loss(logits, m, eps=1e-6):
    log_q = F.logsigmoid(logits)
    q = log_q.exp()
    axes = tuple(range(1, logits.ndim))
    part = torch.stack([(q * m).sum(axes), q.sum(axes), m.sum(axes).to(q)])
    return 1.0 - ((2 * part[0] + eps) / (part[1] + part[2] + eps)).mean()


# %% q10
class UNet(nn.Module):
    @dataclass
    class Widths:
        fine: int

        @property
        def middle(self):
            return 2 * self.fine

        @property
        def coarse(self):
            return 4 * self.fine

    def __init__(self, width=12, in_channels=3):
        super().__init__()
        w = self.Widths(width)
        self.standardise = lab.Standardise(in_channels)
        self.down = nn.ModuleList(
            (
                lab.DoubleConv(in_channels, w.fine),
                lab.DoubleConv(w.fine, w.middle),
                lab.DoubleConv(w.middle, w.coarse),
            )
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, kernel_size=2, stride=2)
            for a, b in ((w.coarse, w.middle), (w.middle, w.fine))
        )
        self.merge = nn.ModuleList(lab.DoubleConv(2 * c, c) for c in (w.middle, w.fine))
        self.head = nn.Conv2d(w.fine, out_channels=1, kernel_size=1)

    def forward(self, x):
        skips = [self.down[0](self.standardise(x))]
        for block in self.down[1:]:
            skips.append(block(nn.functional.max_pool2d(skips[-1], kernel_size=2)))
        out = skips[-1]
        for up, merge, skip in zip(self.up, self.merge, skips[-2::-1]):
            out = merge(torch.concat((up(out), skip), dim=-3))
        return self.head(out)


segmenter = coursekit.load_or_train(
    "a1_seg.safetensors",
    build=UNet,
    train=lambda: lab.train_segmenter(UNet(), soft_dice_loss, train, seed=0, device=device),
)


# %% q11
class Froc(NamedTuple):
    sensitivities: np.ndarray
    mean: float


@dataclass(order=True)
class Detection:
    sort_key: float
    place: int
    image: int = field(compare=False)
    box: object = field(compare=False)
    right: bool = field(default=False, compare=False)


def box_iou(a, b):
    a, b = (
        np.array(a, dtype=np.float64).reshape(-1, 4),
        np.array(b, dtype=np.float64).reshape(-1, 4),
    )
    width = np.minimum.outer(a[:, 2], b[:, 2]) - np.maximum.outer(a[:, 0], b[:, 0])
    height = np.minimum.outer(a[:, 3], b[:, 3]) - np.maximum.outer(a[:, 1], b[:, 1])
    both = np.maximum(width, 0) * np.maximum(height, 0)
    union = (
        np.add.outer(
            (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1]), (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
        )
        - both
    )
    with np.errstate(invalid="ignore"):
        return np.where(both > 0, both / union, 0.0)


def nms(boxes, scores, thr, labels=None):
    """Each class by itself, then all together by score."""
    labels = np.zeros(len(scores), int) if labels is None else np.asarray(labels)
    scores, kept = np.asarray(scores, dtype=float), []
    for label in np.unique(labels):
        queue = np.flatnonzero(labels == label)
        queue = queue[np.argsort(-scores[queue], kind="stable")]
        while len(queue):
            best, queue = queue[0], queue[1:]
            kept.append(best)
            if len(queue):
                queue = queue[box_iou([boxes[best]], np.asarray(boxes)[queue])[0] <= thr]
    kept = np.sort(np.array(kept, dtype=np.int64))
    return kept[np.argsort(-scores[kept], kind="stable")]


def _detections(boxes, scores, truth, iou_thr):
    everything = [
        Detection(-float(score), 0, image, box)
        for image, (b, s) in enumerate(zip(boxes, scores))
        for box, score in zip(b, s)
    ]
    for place, one in enumerate(everything):
        one.place = place
    everything.sort()
    open_boxes = [dict(enumerate(t)) for t in truth]
    for one in everything:
        rivals = open_boxes[one.image]
        if rivals:
            overlaps = box_iou([one.box], list(rivals.values()))[0]
            if overlaps.max() >= iou_thr:
                one.right = True
                del rivals[list(rivals)[int(overlaps.argmax())]]
    return everything


def average_precision_det(boxes, scores, truth, iou_thr=0.5):
    n = sum(len(t) for t in truth)
    if n == 0:
        return float("nan")
    found = [one.right for one in _detections(boxes, scores, truth, iou_thr)]
    area, ceiling, right = 0.0, 0.0, sum(found)
    for k in range(len(found), 0, -1):
        ceiling = max(ceiling, right / k)
        if found[k - 1]:
            area += ceiling
            right -= 1
    return area / n


def froc(boxes, scores, truth, fp_rates=(0.125, 0.25, 0.5, 1, 2, 4, 8), iou_thr=0.5):
    n = sum(len(t) for t in truth)
    if n == 0:
        return Froc(np.full(len(fp_rates), np.nan), float("nan"))
    found = _detections(boxes, scores, truth, iou_thr)
    curve = [(0, 0)]
    for k, one in enumerate(found):
        wrong, right = curve[-1] if k == 0 or found[k - 1].sort_key != one.sort_key else curve.pop()
        curve.append((wrong + (not one.right), right + one.right))
    levels = [
        max(right for wrong, right in curve if wrong <= rate * len(truth)) / n for rate in fp_rates
    ]
    return Froc(np.array(levels), float(np.mean(levels)))
