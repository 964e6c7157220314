"""SciPy, scikit-learn and torchvision where the text leaves the means open."""

# %% q1
from sklearn.model_selection import train_test_split


def _in_two(patients, positive, first, seed):
    """The first ``first`` patients and the others, stratified where there are enough of them."""
    if first in (0, len(patients)):
        return patients[:first], patients[first:]
    try:
        return train_test_split(
            patients, train_size=first, random_state=seed, stratify=positive[patients]
        )
    except ValueError:
        return train_test_split(patients, train_size=first, random_state=seed)


def patient_split(patient_id, y, fractions=(0.7, 0.15, 0.15), seed=0):
    names, rank = np.unique(np.asarray(patient_id), return_inverse=True)
    positive = np.zeros(len(names), bool)
    positive[rank[np.asarray(y) == 1]] = True
    everyone_ranked = np.arange(len(names))
    sizes = np.rint(np.array(fractions) * len(names)).astype(int)
    training, rest = _in_two(everyone_ranked, positive, int(sizes[0]), seed)
    validation, test = _in_two(rest, positive, min(int(sizes[1]), len(rest)), seed)
    return [np.flatnonzero(np.isin(rank, part)) for part in (training, validation, test)]


# %% q2
from scipy import ndimage
from sklearn.preprocessing import StandardScaler


def fit_normaliser(X):
    X = np.asarray(X, dtype=np.float64)
    scaler = StandardScaler().fit(np.moveaxis(X, 1, -1).reshape(-1, X.shape[1]))
    return scaler.mean_, scaler.scale_


def apply(X, stats):
    X = np.asarray(X)
    flat = np.moveaxis(X, 1, -1)
    scaled = ((flat - stats[0]) / stats[1]).astype(np.promote_types(X.dtype, np.float32))
    scaled = np.moveaxis(scaled, -1, 1)
    return scaled if X.dtype == np.float64 else scaled.astype(np.float32)


def augment(x, mask, rng):
    """A small turn by any angle, without inventing colours: every pixel copies its nearest."""
    degrees = rng.uniform(-10, 10)
    turn = lambda v: ndimage.rotate(
        v, degrees, axes=(-1, -2), reshape=False, order=0, mode="nearest"
    )
    flip = (lambda v: v[..., ::-1]) if rng.random() < 0.5 else (lambda v: v)
    return flip(turn(x)), flip(turn(mask.astype(np.uint8))).astype(mask.dtype)


# %% q6
from scipy import stats as statistics


def bootstrap_ci(y, s, patient_id, stat, B=1000, alpha=0.05, seed=0):
    y, s = np.asarray(y), np.asarray(s)
    _, owner = np.unique(np.asarray(patient_id), return_inverse=True)
    rows_of = [np.flatnonzero(owner == p) for p in range(owner.max() + 1)]
    if len(rows_of) == 1:
        return stat(y, s), np.nan, np.nan

    def of_patients(drawn):
        rows = np.concatenate([rows_of[int(p)] for p in drawn])
        return stat(y[rows], s[rows])

    result = statistics.bootstrap(
        (np.arange(len(rows_of)),), of_patients, n_resamples=B, vectorized=False,
        method="percentile", rng=np.random.default_rng(seed), confidence_level=1 - alpha,
    )  # fmt: skip
    values = result.bootstrap_distribution
    low, high = np.quantile(values[np.isfinite(values)], [alpha / 2, 1 - alpha / 2])
    return stat(y, s), low, high


# %% q9
def adapt_first_conv(w, in_ch):
    old = w.detach().numpy()
    if in_ch == 1:
        return torch.from_numpy(old.sum(axis=1, keepdims=True))
    extra = np.zeros((old.shape[0], in_ch - 3, *old.shape[2:]), old.dtype)
    return torch.from_numpy(np.concatenate([old, extra], axis=1))


# %% q9
from torchvision.ops import FrozenBatchNorm2d


def _with_frozen_norms(module):
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            frozen = FrozenBatchNorm2d(child.num_features, eps=child.eps)
            frozen.load_state_dict(child.state_dict())
            setattr(module, name, frozen)
        else:
            _with_frozen_norms(child)
    return module.requires_grad_(False)


def prepare_finetune(model, n_classes, freeze=(), lr_head=1e-3, lr_body=1e-4):
    """Batch norms of frozen parts become torchvision's ``FrozenBatchNorm2d``."""
    tuned = copy.deepcopy(model)
    tuned.head = nn.Linear(tuned.head.in_features, n_classes)
    nn.init.normal_(tuned.head.weight, std=0.3)
    for name in freeze:
        _with_frozen_norms(tuned.get_submodule(name))
    head = set(tuned.head.parameters())
    body = [p for p in tuned.parameters() if p.requires_grad and p not in head]
    return tuned, [{"params": list(head), "lr": lr_head}, {"params": body, "lr": lr_body}]


# %% q10
from sklearn.metrics import f1_score, jaccard_score


def _each(measure, p, m):
    flat = lambda v: np.asarray(v).astype(int).ravel()
    return np.array([measure(flat(a), flat(b), zero_division=1.0) for a, b in zip(m, p)])


def dice(p, m):
    return _each(f1_score, p, m)


def iou(p, m):
    return _each(lambda t, q, zero_division: jaccard_score(t, q) if (t | q).any() else 1.0, p, m)


def soft_dice_loss(logits, m, eps=1e-6):
    q = torch.special.expit(logits)
    one = lambda q, m: 1 - (2 * (q * m).sum() + eps) / (q.sum() + m.sum() + eps)
    return torch.vmap(one)(q, m.to(q.dtype)).mean()


# %% q10
class UNet(nn.Module):
    def __init__(self, width=12, in_channels=3):
        super().__init__()
        self.standardise = lab.Standardise(in_channels)
        self.head = nn.Conv2d(width, 1, 1)
        self.merge = nn.ModuleList(
            [lab.DoubleConv(4 * width, 2 * width), lab.DoubleConv(2 * width, width)]
        )
        self.up = nn.ModuleList(
            [
                nn.ConvTranspose2d(4 * width, 2 * width, 2, 2),
                nn.ConvTranspose2d(2 * width, width, 2, 2),
            ]
        )
        self.down = nn.ModuleList(
            [
                lab.DoubleConv(in_channels, width),
                lab.DoubleConv(width, 2 * width),
                lab.DoubleConv(2 * width, 4 * width),
            ]
        )

    def forward(self, x):
        a = self.down[0](self.standardise(x))
        b = self.down[1](F.adaptive_max_pool2d(a, (a.shape[2] // 2, a.shape[3] // 2)))
        c = self.down[2](F.adaptive_max_pool2d(b, (b.shape[2] // 2, b.shape[3] // 2)))
        b = self.merge[0](torch.hstack([self.up[0](c), b]))
        return self.head(self.merge[1](torch.hstack([self.up[1](b), a])))


# %% q10
segmenter = coursekit.load_or_train(
    "a1_seg.safetensors", UNet,
    lambda: lab.train_segmenter(UNet(), soft_dice_loss, train, seed=1, device=device),
)  # fmt: skip

# %% q11
from torchvision import ops


def _tensor(v):
    return torch.as_tensor(np.asarray(v, dtype=np.float64)).reshape(-1, 4)


def box_iou(a, b):
    return ops.box_iou(_tensor(a), _tensor(b)).nan_to_num(0.0).numpy()


def nms(boxes, scores, thr, labels=None):
    boxes, scores = _tensor(boxes), torch.as_tensor(np.asarray(scores, dtype=np.float64))
    if labels is None:
        return ops.nms(boxes, scores, thr).numpy()
    return ops.batched_nms(boxes, scores, torch.as_tensor(np.asarray(labels)), thr).numpy()


# %% q11
def _true_positives(boxes, scores, truth, iou_thr):
    rows = [
        (-float(score), image, k)
        for image, of_image in enumerate(scores)
        for k, score in enumerate(of_image)
    ]
    rows.sort()
    left = [list(range(len(t))) for t in truth]
    hits = []
    for _, image, k in rows:
        overlaps = box_iou([boxes[image][k]], np.asarray(truth[image])[left[image]])[0]
        hits.append(bool(len(overlaps)) and overlaps.max() >= iou_thr)
        if hits[-1]:
            del left[image][int(overlaps.argmax())]
    return np.array([-score for score, _, _ in rows]), np.array(hits, dtype=bool)


def average_precision_det(boxes, scores, truth, iou_thr=0.5):
    n = sum(map(len, truth))
    _, hits = _true_positives(boxes, scores, truth, iou_thr)
    if n == 0:
        return np.nan
    ranks = np.flatnonzero(hits) + 1
    precision = np.arange(1, len(ranks) + 1) / ranks
    envelope = [precision[k:].max() for k in range(len(precision))]
    return np.sum(envelope) / n


# %% q11
def froc(boxes, scores, truth, fp_rates=(0.125, 0.25, 0.5, 1, 2, 4, 8), iou_thr=0.5):
    n = sum(map(len, truth))
    if not n:
        return np.full(len(fp_rates), np.nan), np.nan
    score, hits = _true_positives(boxes, scores, truth, iou_thr)
    levels, place = np.unique(-score, return_inverse=True)
    wrong = np.cumsum(ndimage.sum_labels(~hits, place, np.arange(len(levels)))) / len(truth)
    right = np.cumsum(ndimage.sum_labels(hits, place, np.arange(len(levels)))) / n
    step = np.searchsorted(wrong, np.asarray(fp_rates, float), side="right")
    found = np.concatenate([[0.0], right])[step]
    return found, found.mean()
