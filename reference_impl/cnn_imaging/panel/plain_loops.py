"""Plain Python: loops, lists and dicts where the solution has array operations."""

# %% q1
import random


def patient_split(patient_id, y, fractions=(0.7, 0.15, 0.15), seed=0):
    """Deal patients like cards: each to the part that is furthest behind its share."""
    positive = {}
    for patient, label in zip(patient_id, y):
        positive[patient] = positive.get(patient, False) or label == 1
    names = sorted(positive)
    dealer = random.Random(int(seed))
    ill = [name for name in names if positive[name]]
    well = [name for name in names if not positive[name]]
    dealer.shuffle(ill)
    dealer.shuffle(well)

    part_of, counts = {}, [0, 0, 0]
    for dealt, name in enumerate(ill + well, start=1):
        behind = [share * dealt - count for share, count in zip(fractions, counts)]
        part = behind.index(max(behind))
        part_of[name] = part
        counts[part] += 1

    rows = [[], [], []]
    for row, patient in enumerate(patient_id):
        rows[part_of[patient]].append(row)
    return [np.array(part, dtype=np.int64) for part in rows]


# %% q2
def fit_normaliser(X):
    mean, std = [], []
    for channel in range(3):
        total = squares = count = 0.0
        lowest, highest = float("inf"), -float("inf")
        for image in X:
            plane = np.asarray(image[channel], dtype=np.float64)
            total += plane.sum()
            count += plane.size
            lowest, highest = min(lowest, plane.min()), max(highest, plane.max())
        m = total / count
        for image in X:
            squares += ((np.asarray(image[channel], dtype=np.float64) - m) ** 2).sum()
        mean.append(m)
        std.append(1.0 if lowest == highest else (squares / count) ** 0.5)
    return np.array(mean), np.array(std)


def apply(X, stats):
    X = np.asarray(X)
    out = np.empty(X.shape, dtype=np.float64 if X.dtype == np.float64 else np.float32)
    for channel, (mean, std) in enumerate(zip(*stats)):
        out[:, channel] = (X[:, channel] - mean) / std
    return out


def augment(x, mask, rng):
    image, outline = np.array(x), np.array(mask)
    if rng.random() < 0.5:
        image, outline = image[:, :, ::-1], outline[:, ::-1]
    if rng.random() < 0.5:
        image, outline = image[:, ::-1, :], outline[::-1, :]
    return image, outline


# %% q5
def confusion(y, yhat):
    table = [[0, 0], [0, 0]]
    for truth, decision in zip(y, yhat):
        table[int(truth)][int(decision)] += 1
    return np.array(table, dtype=np.int64)


def binary_metrics(y, yhat):
    tn, fp, fn, tp = (int(count) for row in confusion(y, yhat) for count in row)
    rates = {
        "accuracy": (tp + tn, tp + tn + fp + fn),
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "ppv": (tp, tp + fp),
        "npv": (tn, tn + fn),
        "f1": (2 * tp, 2 * tp + fp + fn),
    }
    found = {}
    for name, (above, below) in rates.items():
        try:
            found[name] = above / below
        except ZeroDivisionError:
            found[name] = float("nan")
    found["balanced_accuracy"] = 0.5 * (found["sensitivity"] + found["specificity"])
    return found


def roc_auc(y, s):
    """Count the pairs, one by one."""
    won = pairs = 0
    for label, score in zip(y, s):
        for other_label, other_score in zip(y, s):
            if label and not other_label:
                pairs += 1
                won += 1.0 if score > other_score else 0.5 if score == other_score else 0.0
    return won / pairs if pairs else float("nan")


def average_precision(y, s):
    n_positive = sum(map(bool, y))
    if n_positive == 0:
        return float("nan")
    area = found = called = 0
    for threshold in sorted(set(float(v) for v in s), reverse=True):
        before = found
        for label, score in zip(y, s):
            if float(score) == threshold:
                called += 1
                found += bool(label)
        area += (found - before) / n_positive * found / called
    return float(area)


def choose_threshold(y_val, s_val, min_sensitivity):
    n_positive = sum(map(bool, y_val))
    n_negative = len(y_val) - n_positive
    best = None
    for threshold in s_val:
        found = sum(bool(label) and score >= threshold for label, score in zip(y_val, s_val))
        right = sum(not label and score < threshold for label, score in zip(y_val, s_val))
        if n_positive and found / n_positive >= min_sensitivity:
            specificity = right / n_negative if n_negative else 0.0
            if best is None or (specificity, threshold) > best:
                best = (specificity, threshold)
    return float("nan") if best is None else float(best[1])


def ppv_at_prevalence(sens, spec, prev):
    """Out of a million people."""
    ill = prev * 1_000_000
    well = 1_000_000 - ill
    right, wrong = sens * ill, (1 - spec) * well
    if right + wrong == 0:
        return float("nan")
    return right / (right + wrong)


# %% q6
def bootstrap_ci(y, s, patient_id, stat, B=1000, alpha=0.05, seed=0):
    y, s = np.asarray(y), np.asarray(s)
    estimate = float(stat(y, s))
    rows_of = {}
    for row, patient in enumerate(patient_id):
        rows_of.setdefault(patient, []).append(row)
    if len(rows_of) == 1:
        return (estimate, float("nan"), float("nan"))
    dealer, names, values = random.Random(seed), list(rows_of), []
    for _ in range(B):
        rows = []
        for name in dealer.choices(names, k=len(names)):
            rows.extend(rows_of[name])
        value = stat(y[rows], s[rows])
        if value == value:
            values.append(value)
    values.sort()

    def quantile(q):
        place = q * (len(values) - 1)
        below = int(place)
        above = min(below + 1, len(values) - 1)
        return float(values[below] + (place - below) * (values[above] - values[below]))

    return (estimate, quantile(alpha / 2), quantile(1 - alpha / 2))


# %% q8
def fit_with_early_stopping(model, step, evaluate, patience, mode="max", max_epochs=100):
    def copied():
        return {name: value.detach().clone() for name, value in model.state_dict().items()}

    best_score, best_weights, epochs_without = None, copied(), 0
    epoch = 0
    while epoch < max_epochs and epochs_without < patience:
        epoch += 1
        step(model)
        score = evaluate(model)
        better = score == score and (
            best_score is None
            or (mode == "max" and score > best_score)
            or (mode == "min" and score < best_score)
        )
        if better:
            best_score, best_weights, epochs_without = score, copied(), 0
        else:
            epochs_without += 1
    model.load_state_dict(best_weights)
    return best_weights


# %% q10
def dice(p, m):
    values = []
    for predicted, true in zip(p, m):
        predicted, true = predicted.astype(bool), true.astype(bool)
        total = int(predicted.sum()) + int(true.sum())
        values.append(2 * int((predicted & true).sum()) / total if total else 1.0)
    return np.array(values, dtype=np.float64)


def iou(p, m):
    values = []
    for predicted, true in zip(p, m):
        union = np.logical_or(predicted, true).sum()
        values.append(np.logical_and(predicted, true).sum() / union if union else 1.0)
    return np.array(values, dtype=np.float64)


def soft_dice_loss(logits, m, eps=1e-6):
    loss = 0.0
    for z, true in zip(logits, m):
        q = (1 + torch.tanh(z / 2)) / 2
        loss = loss + 1 - (2 * (q * true).sum() + eps) / (q.sum() + true.sum() + eps)
    return loss / len(logits)


# %% q10
class UNet(nn.Module):
    def __init__(self, width=12, in_channels=3):
        super().__init__()
        self.standardise = lab.Standardise(in_channels)
        self.down, self.up, self.merge = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        channels = in_channels
        for level in range(3):
            self.down.append(lab.DoubleConv(channels, width * 2**level))
            channels = width * 2**level
        for level in (1, 0):
            self.up.append(nn.ConvTranspose2d(2 * width * 2**level, width * 2**level, 2, stride=2))
            self.merge.append(lab.DoubleConv(2 * width * 2**level, width * 2**level))
        self.head = nn.Conv2d(width, 1, kernel_size=1)

    def forward(self, x):
        x = self.standardise(x)
        seen = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else F.max_pool2d(x, 2))
            seen.append(x)
        seen.pop()
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([up(x), seen.pop()], dim=1))
        return self.head(x)


# %% q10
# Given: trains once, then loads the weights from the file.
segmenter = None
with lab.needs("q10"):
    torch.manual_seed(0)
    segmenter = coursekit.load_or_train(
        "a1_seg.safetensors",
        build=UNet,
        train=lambda: lab.train_segmenter(UNet(), soft_dice_loss, train, seed=0, device=device),
        metadata={"seed": "0"},
    )


# %% q11
def box_iou(a, b):
    def area(box):
        return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])

    found = np.zeros((len(a), len(b)))
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            shared = area([max(one[0], other[0]), max(one[1], other[1]),
                           min(one[2], other[2]), min(one[3], other[3])])  # fmt: skip
            if shared > 0:
                found[i, j] = shared / (area(one) + area(other) - shared)
    return found


def nms(boxes, scores, thr, labels=None):
    waiting = sorted(range(len(scores)), key=lambda i: -scores[i])
    kept = []
    while waiting:
        best = waiting.pop(0)
        kept.append(best)
        waiting = [
            i
            for i in waiting
            if (labels is not None and labels[i] != labels[best])
            or box_iou([boxes[i]], [boxes[best]])[0, 0] <= thr
        ]
    return np.array(kept, dtype=np.int64)


def _judged(boxes, scores, truth, iou_thr):
    """Scores with 1 for a true positive and 0 for a false one, best first."""
    found = []
    for image in range(len(boxes)):
        for box, score in zip(boxes[image], scores[image]):
            found.append((image, box, score))
    found.sort(key=lambda one: -one[2])  # stable: of equal scores the first given stays first
    taken, judged = set(), []
    for image, box, score in found:
        best, place = -1.0, None
        for j, true in enumerate(truth[image]):
            overlap = box_iou([box], [true])[0, 0]
            if (image, j) not in taken and overlap > best:
                best, place = overlap, j
        right = place is not None and best >= iou_thr
        if right:
            taken.add((image, place))
        judged.append((score, int(right)))
    return judged


def average_precision_det(boxes, scores, truth, iou_thr=0.5):
    n_true = sum(len(t) for t in truth)
    if n_true == 0:
        return float("nan")
    judged = _judged(boxes, scores, truth, iou_thr)
    precision, recall, right = [], [0.0], 0
    for k, (_, hit) in enumerate(judged, start=1):
        right += hit
        precision.append(right / k)
        recall.append(right / n_true)
    return float(sum((recall[k + 1] - recall[k]) * max(precision[k:]) for k in range(len(judged))))


def froc(boxes, scores, truth, fp_rates=(0.125, 0.25, 0.5, 1, 2, 4, 8), iou_thr=0.5):
    n_true = sum(len(t) for t in truth)
    if n_true == 0:
        return np.full(len(fp_rates), np.nan), float("nan")
    judged = _judged(boxes, scores, truth, iou_thr)
    thresholds = [float("inf")] + sorted({score for score, _ in judged})
    sensitivities = []
    for rate in fp_rates:
        best = 0.0
        for threshold in thresholds:
            hits = [hit for score, hit in judged if score >= threshold]
            if hits.count(0) / len(truth) <= rate:
                best = max(best, hits.count(1) / n_true)
        sensitivities.append(best)
    return np.array(sensitivities), sum(sensitivities) / len(sensitivities)
