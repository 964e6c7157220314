"""One large array operation in place of every loop."""


# %% q1
def patient_split(patient_id, y, fractions=(0.7, 0.15, 0.15), seed=0):
    names, rank = np.unique(np.asarray(patient_id), return_inverse=True)
    belongs = rank[None, :] == np.arange(len(names))[:, None]  # [patients, rows]
    positive = (belongs & (np.asarray(y) == 1)).any(axis=1)
    key = np.random.default_rng(seed).random(len(names))
    same = positive[:, None] == positive[None, :]
    place = ((key[None, :] < key[:, None]) & same).sum(1) + 0.5
    place = place / same.sum(1) + 1e-9 * key
    order = (place[None, :] < place[:, None]).sum(1)  # 0, 1, 2, ... without a gap
    edges = np.rint(np.cumsum(fractions)[:-1] * len(names))
    part = (order[:, None] >= edges).sum(1)[rank]
    return tuple(np.argwhere(part == k)[:, 0] for k in range(3))


# %% q3
def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """Windows as a strided view of the padded image, and one ``einsum``."""
    stride, padding, dilation = (
        np.broadcast_to(v, 2).tolist() for v in (stride, padding, dilation)
    )
    x = F.pad(x, (padding[1],) * 2 + (padding[0],) * 2).contiguous()
    B, C, H, W = x.shape
    size = [
        (n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip((H, W), dilation, w.shape[2:], stride)
    ]
    b_, c_, h_, w_ = x.stride()
    windows = x.as_strided(
        (B, groups, C // groups, *size, *w.shape[2:]),
        (
            b_,
            c_ * (C // groups),
            c_,
            h_ * stride[0],
            w_ * stride[1],
            h_ * dilation[0],
            w_ * dilation[1],
        ),
    )
    out = torch.einsum("ngcijuv,gocuv->ngoij", windows, w.reshape(groups, -1, *w.shape[1:]))
    out = out.reshape(B, -1, *size)
    return out if b is None else out + b[None, :, None, None]


# %% q5
def confusion(y, yhat):
    one_hot = lambda v: np.asarray(v).astype(int)[:, None] == np.arange(2)
    return one_hot(y).T.astype(np.int64) @ one_hot(yhat)


def binary_metrics(y, yhat):
    table = confusion(y, yhat).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_truth, by_call = table / table.sum(1, keepdims=True), table / table.sum(0)
        accuracy = np.trace(table) / table.sum()
        f1 = 2 * table[1, 1] / (table[1].sum() + table[:, 1].sum())
    return {
        "accuracy": accuracy,
        "specificity": by_truth[0, 0],
        "sensitivity": by_truth[1, 1],
        "npv": by_call[0, 0],
        "ppv": by_call[1, 1],
        "balanced_accuracy": np.trace(by_truth) / 2,
        "f1": f1,
    }


def roc_auc(y, s):
    y, s = np.asarray(y).astype(bool), np.asarray(s, dtype=float)
    sign = np.sign(s[y][:, None] - s[~y][None, :])
    return (1 + sign.mean()) / 2 if sign.size else np.nan


def average_precision(y, s):
    y, s = np.asarray(y).astype(float), np.asarray(s, dtype=float)
    above = s[None, :] >= s[:, None]  # row i: who is called positive at the score of i
    if y.sum() == 0:
        return np.nan
    return float(y @ ((above @ y) / above.sum(1)) / y.sum())


def choose_threshold(y_val, s_val, min_sensitivity):
    y, s = np.asarray(y_val).astype(bool), np.asarray(s_val, dtype=float)
    if not y.any():
        return np.nan
    called = s[None, :] >= s[:, None]
    sensitivity = (called & y).sum(1) / y.sum()
    specificity = (~called & ~y).sum(1) / max((~y).sum(), 1)
    usable = sensitivity >= min_sensitivity
    best = usable & (specificity == specificity[usable].max())
    return s[best].max()


def ppv_at_prevalence(sens, spec, prev):
    """Works for arrays too."""
    sens, spec, prev = np.broadcast_arrays(*(np.asarray(v, float) for v in (sens, spec, prev)))
    called = sens * prev + (1 - spec) * (1 - prev)
    out = np.divide(sens * prev, called, out=np.full(called.shape, np.nan), where=called > 0)
    return out[()]


# %% q6
def bootstrap_ci(y, s, patient_id, stat, B=1000, alpha=0.05, seed=0):
    """All resamples are drawn at once; a row of ``times`` says how often each row is taken."""
    y, s = np.asarray(y), np.asarray(s)
    names, owner = np.unique(np.asarray(patient_id), return_inverse=True)
    estimate = stat(y, s)
    if names.size == 1:
        return estimate, np.nan, np.nan
    drawn = np.random.default_rng(seed).integers(names.size, size=(B, names.size))
    times = np.apply_along_axis(np.bincount, 1, drawn, minlength=names.size)[:, owner]
    every = np.arange(len(y))
    values = np.array([stat(y[rows], s[rows]) for rows in (every.repeat(t) for t in times)])
    values = values[np.isfinite(values)]
    return estimate, *np.percentile(values, (50 * alpha, 100 - 50 * alpha), method="inverted_cdf")


# %% q10
def dice(p, m):
    p, m = (np.asarray(v, dtype=float).reshape(len(v), -1) for v in (p, m))
    gram = np.einsum("knp,lnp->nkl", [p, m], [p, m])
    total = gram[:, 0, 0] + gram[:, 1, 1]
    return (2 * gram[:, 0, 1] + (total == 0)) / (total + (total == 0))


def iou(p, m):
    code = 2 * np.asarray(p, int) + np.asarray(m, int)
    none, m_only, p_only, both = (code[..., None] == np.arange(4)).sum((1, 2)).T
    either = m_only + p_only + both
    return np.where(either, both / np.where(either, either, 1), 1.0)


def soft_dice_loss(logits, m, eps=1e-6):
    q = torch.sigmoid(logits)
    both, total = torch.einsum("nhw,nhw->n", q, m.to(q)), torch.einsum("nhw->n", q + m)
    return 1 - torch.div(2 * both + eps, total + eps).sum() / len(q)


# %% q10
class UNet(nn.Module):
    def __init__(self, width=12, in_channels=3):
        super().__init__()
        self.standardise = lab.Standardise(in_channels)
        self.down = nn.ModuleList([lab.DoubleConv(in_channels, width)])
        self.down.extend([lab.DoubleConv(width, 2 * width), lab.DoubleConv(2 * width, 4 * width)])
        self.up = nn.ModuleList()
        self.up.append(nn.ConvTranspose2d(4 * width, 2 * width, (2, 2), stride=(2, 2)))
        self.up.append(nn.ConvTranspose2d(2 * width, width, (2, 2), stride=(2, 2)))
        self.merge = nn.ModuleList()
        self.merge.append(lab.DoubleConv(4 * width, 2 * width))
        self.merge.append(lab.DoubleConv(2 * width, width))
        self.head = nn.Conv2d(width, 1, (1, 1))

    @staticmethod
    def half(x):
        """The largest of each 2 × 2 block."""
        return x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).amax((3, 5))

    def forward(self, x):
        d0 = self.down[0](self.standardise(x))
        d1 = self.down[1](self.half(d0))
        d2 = self.down[2](self.half(d1))
        m0 = self.merge[0](torch.cat([self.up[0](d2), d1], 1))
        return self.head(self.merge[1](torch.cat([self.up[1](m0), d0], 1)))


# %% q10
segmenter = coursekit.load_or_train(
    "a1_seg.safetensors", UNet, lambda: lab.train_segmenter(UNet(), soft_dice_loss, train)
)


# %% q11
def box_iou(a, b):
    a, b = (np.asarray(v, dtype=np.float64).reshape(-1, 4) for v in (a, b))
    corners = np.stack(np.broadcast_arrays(a[:, None], b[None, :]))  # [2, N, M, 4]
    low, high = corners[..., :2].max(0), corners[..., 2:].min(0)
    both = np.maximum(high - low, 0).prod(-1)
    areas = (corners[..., 2:] - corners[..., :2]).prod(-1).sum(0)
    return both / np.where(both > 0, areas - both, 1)


def nms(boxes, scores, thr, labels=None):
    scores = np.asarray(scores, dtype=float)
    order = np.argsort(-scores, kind="stable")
    clash = np.triu(box_iou(boxes, boxes)[np.ix_(order, order)] > thr, 1)
    if labels is not None:
        kinds = np.asarray(labels)[order]
        clash &= kinds[:, None] == kinds[None, :]
    kept = np.ones(len(order), dtype=bool)
    while True:  # whom the kept ones suppress, until nothing changes
        after = ~(clash & kept[:, None]).any(0)
        if (after == kept).all():
            return order[kept]
        kept = after


def _match(boxes, scores, truth, iou_thr):
    sizes = [len(v) for v in scores]
    image = np.repeat(np.arange(len(sizes)), sizes)
    all_scores = np.concatenate([np.asarray(v, float).ravel() for v in scores])
    stack = lambda vs: np.concatenate([np.asarray(v, float).reshape(-1, 4) for v in vs])
    owner = np.repeat(np.arange(len(truth)), [len(t) for t in truth])
    overlap = np.where(image[:, None] == owner, box_iou(stack(boxes), stack(truth)), -1.0)
    order = np.argsort(-all_scores, kind="stable")
    hit = np.zeros(len(order), bool)
    for rank, k in enumerate(order):
        j = overlap[k].argmax() if overlap.shape[1] else 0
        hit[rank] = overlap.shape[1] > 0 and overlap[k, j] >= iou_thr
        if hit[rank]:
            overlap[:, j] = -1.0
    return all_scores[order], hit, len(owner)


def average_precision_det(boxes, scores, truth, iou_thr=0.5):
    _, hit, total = _match(boxes, scores, truth, iou_thr)
    if not total:
        return float("nan")
    k = np.arange(1, len(hit) + 1)
    precision = hit.cumsum() / k
    envelope = np.where(k[None, :] >= k[:, None], precision, 0).max(1, initial=0)
    return float(np.diff(hit.cumsum() / total, prepend=0) @ envelope)


def froc(boxes, scores, truth, fp_rates=(0.125, 0.25, 0.5, 1, 2, 4, 8), iou_thr=0.5):
    score, hit, total = _match(boxes, scores, truth, iou_thr)
    if not total:
        return np.full(len(fp_rates), np.nan), np.nan
    called = score[None, :] >= np.append(score, np.inf)[:, None]  # [thresholds, detections]
    alarms, found = (called & ~hit).sum(1) / len(truth), (called & hit).sum(1) / total
    table = np.where(alarms[None, :] <= np.asarray(fp_rates, float)[:, None], found, 0)
    return table.max(1), table.max(1).mean()
