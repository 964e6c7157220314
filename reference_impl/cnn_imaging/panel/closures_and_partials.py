"""Closures, ``functools.partial`` and lambdas bound to the names that were asked for."""

# %% q1
from functools import partial, reduce


def _splitter(order_of):
    def split(patient_id, y, fractions=(0.7, 0.15, 0.15), seed=0):
        ids = np.asarray(patient_id)
        patients = np.unique(ids)
        positive = np.array([np.asarray(y)[ids == p].max() == 1 for p in patients])
        queue = order_of(positive, np.random.default_rng(seed))
        edges = [0, *(int(np.floor(c * len(queue) + 0.5)) for c in np.cumsum(fractions))]
        edges[-1] = len(queue)
        return tuple(
            np.flatnonzero(np.isin(ids, patients[queue[start:end]]))
            for start, end in zip(edges, edges[1:])
        )

    return split


def _merged(positive, rng):
    """Both classes shuffled, then merged so that neither runs ahead of its share."""
    ill, well = (list(rng.permutation(np.flatnonzero(positive == k))) for k in (True, False))
    n, queue = len(positive), []
    share = len(ill) / n
    while ill or well:
        ahead = sum(positive[q] for q in queue) > share * len(queue)
        source = well if (ahead and well) or not ill else ill
        queue.append(source.pop())
    return np.array(queue)


patient_split = _splitter(_merged)

# %% q3
_pair = lambda value: (value, value) if isinstance(value, int) else tuple(value)


def _convolve(windows_of, x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    geometry = dict(stride=_pair(stride), padding=_pair(padding), dilation=_pair(dilation))
    part = lambda t, g: t.chunk(groups, dim=1)[g]
    out = torch.cat(
        [
            kernel.flatten(1) @ windows_of(part(x, g), kernel.shape[2:], **geometry)
            for g, kernel in enumerate(w.chunk(groups, dim=0))
        ],
        dim=1,
    )
    rows = (
        x.shape[2] + 2 * geometry["padding"][0] - geometry["dilation"][0] * (w.shape[2] - 1) - 1
    ) // geometry["stride"][0] + 1
    out = out.unflatten(2, (rows, -1))
    return out if b is None else out.add(b[None, :, None, None])


conv2d = partial(_convolve, F.unfold)

# %% q4
_norm = lambda *args, **kwargs: nn.Conv2d(*args, bias=False, **kwargs)


class BasicBlock(nn.Module):
    def __init__(self, cin, cout, stride=1, *, norm=nn.BatchNorm2d, activation=nn.ReLU):
        super().__init__()
        self.shortcut = (
            nn.Sequential(_norm(cin, cout, 1, stride=stride), norm(cout))
            if stride > 1 or cin != cout
            else nn.Identity()
        )
        self.bn2, self.bn1 = norm(cout), norm(cout)
        self.conv2 = _norm(cout, cout, 3, padding="same")
        self.conv1 = _norm(cin, cout, (3, 3), stride=(stride, stride), padding=(1, 1))
        self.activation = activation()

    def forward(self, x):
        steps = (self.conv1, self.bn1, self.activation, self.conv2, self.bn2)
        return self.activation(reduce(lambda value, step: step(value), steps, x) + self.shortcut(x))


class SmallResNet(nn.Module):
    def __init__(self, width=16, n=1, n_classes=2, in_channels=3):
        super().__init__()
        self.head = nn.Linear(width * 4, n_classes)
        self.standardise = lab.Standardise(in_channels)
        self.stages = nn.Sequential()
        before = width
        for factor, stride in ((1, 1), (2, 2), (4, 2)):
            blocks = nn.Sequential(BasicBlock(before, factor * width, stride))
            before = factor * width
            for _ in range(1, n):
                blocks.append(BasicBlock(before, before))
            self.stages.append(blocks)
        self.stem = nn.Sequential(
            _norm(in_channels, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU()
        )

    def forward(self, x):
        x = self.stages(self.stem(self.standardise(x)))
        return self.head(F.adaptive_avg_pool2d(x, 1)[:, :, 0, 0])


def vgg(cfg, n_classes=2, in_channels=3, *, activation=nn.ReLU):
    numbers = [item for item in cfg if item != "M"]
    inputs = iter([in_channels, *numbers])
    layers = lambda item: (
        [nn.MaxPool2d((2, 2))]
        if item == "M"
        else [_norm(next(inputs), item, 3, padding=1), nn.BatchNorm2d(item), activation()]
    )
    return nn.Sequential(
        OrderedDict(
            [
                ("features", nn.Sequential(*sum(map(layers, cfg), []))),
                ("pool", nn.AdaptiveAvgPool2d(output_size=1)),
                ("flatten", nn.Flatten(start_dim=1)),
                ("head", nn.Linear(numbers[-1] if numbers else in_channels, n_classes)),
            ]
        )
    )


# %% q5
def _share(of, among):
    return float(of / among) if among else np.nan


_tables = {
    "accuracy": lambda tn, fp, fn, tp: (tp + tn, tp + tn + fp + fn),
    "sensitivity": lambda tn, fp, fn, tp: (tp, tp + fn),
    "specificity": lambda tn, fp, fn, tp: (tn, tn + fp),
    "ppv": lambda tn, fp, fn, tp: (tp, tp + fp),
    "npv": lambda tn, fp, fn, tp: (tn, tn + fn),
    "f1": lambda tn, fp, fn, tp: (2 * tp, 2 * tp + fp + fn),
}

confusion = lambda y, yhat: np.array(
    [[np.sum((np.asarray(y) == t) & (np.asarray(yhat) == d)) for d in (0, 1)] for t in (0, 1)]
)
binary_metrics = lambda y, yhat: (
    lambda rates: rates | {"balanced_accuracy": (rates["sensitivity"] + rates["specificity"]) / 2}
)({name: _share(*counts(*confusion(y, yhat).ravel())) for name, counts in _tables.items()})


def _curve(y, s):
    """Positives and negatives at or above each threshold; the first is above all scores."""
    y, s = np.asarray(y).astype(bool), np.asarray(s, dtype=float)
    cuts = np.r_[np.inf, np.unique(s)[::-1]]
    return cuts, *((s[who][None, :] >= cuts[:, None]).sum(1) for who in (y, ~y))


def roc_auc(y, s):
    _, tp, fp = _curve(y, s)
    return float(np.trapezoid(tp, fp) / (tp[-1] * fp[-1])) if tp[-1] * fp[-1] else float("nan")


def average_precision(y, s):
    _, tp, fp = _curve(y, s)
    if not tp[-1]:
        return float("nan")
    return float((np.diff(tp) / tp[-1] * (tp / np.maximum(tp + fp, 1))[1:]).sum())


def choose_threshold(y_val, s_val, min_sensitivity):
    cuts, tp, _ = _curve(y_val, s_val)
    good = [c for c, found in zip(cuts[1:], tp[1:]) if tp[-1] and found / tp[-1] >= min_sensitivity]
    return float(good[0]) if good else float("nan")


ppv_at_prevalence = lambda sens, spec, prev: _share(
    sens * prev, sens * prev + (1 - spec) * (1 - prev)
)


# %% q8
def _copier(model):
    return lambda: OrderedDict(
        (k, torch.empty_like(v).copy_(v)) for k, v in model.state_dict().items()
    )


def _fit(better, model, step, evaluate, patience, max_epochs):
    snapshot = _copier(model)
    history = [(None, snapshot())]
    for epoch in range(1, max_epochs + 1):
        step(model)
        score = float(evaluate(model))
        best_score, _ = history[-1]
        if not np.isnan(score) and (best_score is None or better(score, best_score)):
            history, last = [(score, snapshot())], epoch
        elif epoch - (last if history[-1][0] is not None else 0) >= patience:
            break
    model.load_state_dict(history[-1][1])
    return history[-1][1]


def fit_with_early_stopping(model, step, evaluate, patience, mode="max", max_epochs=100):
    better = {"max": lambda new, old: new > old, "min": lambda new, old: new < old}[mode]
    return partial(_fit, better)(model, step, evaluate, patience, max_epochs)


# %% q9
_sum = lambda w: w.detach().sum(1)[:, None]
_more = lambda w, n: torch.cat([w.detach(), *[torch.zeros_like(w[:, :1])] * (n - 3)], dim=1)
adapt_first_conv = lambda w, in_ch: _sum(w) if in_ch == 1 else _more(w, in_ch).clone()


def prepare_finetune(model, n_classes, freeze=(), lr_head=1e-3, lr_body=1e-4):
    """``train`` of each frozen module is replaced by one that only ever evaluates."""
    tuned = copy.deepcopy(model)
    tuned.head = type(model.head)(model.head.in_features, n_classes)

    def stay(module, mode=True):
        module.training = False
        return module

    for name in freeze:
        for module in tuned.get_submodule(name).modules():
            module.train = partial(stay, module)
            module.train()
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)
    body = list(
        filter(
            lambda p: p.requires_grad and all(p is not q for q in tuned.head.parameters()),
            tuned.parameters(),
        )
    )
    return tuned, [
        dict(params=list(tuned.head.parameters()), lr=lr_head),
        dict(params=body, lr=lr_body),
    ]


# %% q11
_area = lambda box: np.prod(np.maximum(np.subtract(box[2:], box[:2]), 0))
_common = lambda a, b: np.r_[np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])]


def _iou(a, b):
    both = _area(_common(a, b))
    return both / (_area(a) + _area(b) - both) if both else 0.0


box_iou = lambda a, b: np.array(
    [_iou(x, z) for x in np.asarray(a, float) for z in np.asarray(b, float)]
).reshape(len(a), len(b))


def nms(boxes, scores, thr, labels=None):
    labels = np.zeros(len(scores)) if labels is None else np.asarray(labels)
    order = np.lexsort((np.arange(len(scores)), -np.asarray(scores, float)))
    clashes = lambda i, j: labels[i] == labels[j] and _iou(*np.asarray(boxes, float)[[i, j]]) > thr
    keep = lambda kept, i: kept if any(clashes(i, j) for j in kept) else [*kept, i]
    return np.array(reduce(keep, order.tolist(), []), dtype=np.int64)


def _sorted_hits(iou_thr, boxes, scores, truth):
    order = sorted(
        ((i, k) for i, s in enumerate(scores) for k in range(len(s))),
        key=lambda place: -scores[place[0]][place[1]],
    )
    free = {(i, j) for i, t in enumerate(truth) for j in range(len(t))}
    for i, k in order:
        rivals = [(_iou(boxes[i][k], truth[i][j]), j) for (n, j) in free if n == i]
        overlap, j = max(rivals, default=(-1.0, None))
        if overlap >= iou_thr:
            free.discard((i, j))
        yield float(scores[i][k]), overlap >= iou_thr


def average_precision_det(boxes, scores, truth, iou_thr=0.5):
    total = sum(map(len, truth))
    hit = np.array([h for _, h in _sorted_hits(iou_thr, boxes, scores, truth)], bool)
    if not total:
        return float("nan")
    precision = np.cumsum(hit) / np.arange(1, hit.size + 1)
    return float(sum(max(precision[k:]) for k in np.flatnonzero(hit)) / total)


def froc(boxes, scores, truth, fp_rates=(0.125, 0.25, 0.5, 1, 2, 4, 8), iou_thr=0.5):
    total = sum(map(len, truth))
    judged = list(_sorted_hits(iou_thr, boxes, scores, truth))
    at = lambda t: [h for s, h in judged if s >= t]
    points = (
        [(at(t).count(False) / len(truth), sum(at(t)) / total) for t in {s for s, _ in judged}]
        if total
        else []
    )
    read = lambda rate: max([share for alarms, share in points if alarms <= rate], default=0.0)
    found = np.array([read(rate) if total else np.nan for rate in fp_rates], dtype=np.float64)
    return found, float(found.mean())
