"""Plain Python: loops over rows, counts in dictionaries, a golden-section search."""


# %% q1
def find_leaks(df, target, index_time, dictionary):
    truth = [float(v) for v in df[target]]

    def area(pairs):
        """AUC of (label, score) by counting pairs of sorted scores."""
        pairs = sorted(pairs, key=lambda pair: pair[1])
        positives = sum(label == 1 for label, _ in pairs)
        negatives = len(pairs) - positives
        if positives == 0 or negatives == 0:
            return None
        won, below, at = 0.0, 0, 0
        while at < len(pairs):
            end = at
            while end < len(pairs) and pairs[end][1] == pairs[at][1]:
                end += 1
            ones = sum(label == 1 for label, _ in pairs[at:end])
            zeros = end - at - ones
            won += ones * (below + zeros / 2)
            below += zeros
            at = end
        return won / (positives * negatives)

    def beyond(found, bound):
        return found is not None and (found >= bound or found <= 1 - bound + 1e-15)

    def is_number(name):
        return df[name].dtype.kind in "biuf"

    found = []
    for name in df.columns:
        if name == target:
            continue
        told = dictionary.get(name)
        if told is not None and told["known"] > index_time:
            found.append((name, "after"))
            continue
        values = list(df[name])
        there = [row for row, value in enumerate(values) if not pd.isna(value)]
        if is_number(name):
            numbers = [float(values[row]) for row in there]
            moment = told is not None and told["kind"] == "moment"
            if moment and any(value > index_time for value in numbers):
                found.append((name, "future"))
                continue
            found_area = area([(truth[row], float(values[row])) for row in there])
            if beyond(found_area, 0.98):
                found.append((name, "copy"))
                continue
            if len(there) == len(values) and len(set(numbers)) > 1:
                encoded = False
                for other in df.columns:
                    if is_number(other):
                        continue
                    sums = {}
                    for row, word in enumerate(df[other]):
                        word = None if pd.isna(word) else word
                        total, count = sums.get(word, (0.0, 0))
                        sums[word] = total + truth[row], count + 1
                    if len([word for word in sums if word is not None]) > 50:
                        continue
                    agree = True
                    for row, word in enumerate(df[other]):
                        total, count = sums[None if pd.isna(word) else word]
                        if abs(numbers[row] - total / count) > 1e-6:
                            agree = False
                            break
                    encoded = encoded or agree
                if encoded:
                    found.append((name, "encoding"))
                    continue
            whole = all(value == int(value) for value in numbers)
            if numbers and whole and len(set(numbers)) == len(numbers) and beyond(found_area, 0.6):
                found.append((name, "order"))
                continue
        gone = area([(label, float(pd.isna(value))) for label, value in zip(truth, values)])
        if beyond(gone, 0.75):
            found.append((name, "missing"))
    return found


# %% q2
import math
import random


def rates_of(rows, thr):
    """Metrics of a list of (label, probability)."""
    tp = sum(1 for y, p in rows if y == 1 and p >= thr)
    fn = sum(1 for y, p in rows if y == 1 and p < thr)
    fp = sum(1 for y, p in rows if y == 0 and p >= thr)
    tn = len(rows) - tp - fn - fp

    def over(a, b):
        return a / b if b else math.nan

    won = 0.0
    ordered = sorted(rows, key=lambda row: row[1])
    at = below = 0
    while at < len(ordered):
        end = at
        while end < len(ordered) and ordered[end][1] == ordered[at][1]:
            end += 1
        ones = sum(y for y, _ in ordered[at:end])
        won += ones * (below + (end - at - ones) / 2)
        below += end - at - ones
        at = end
    return {
        "prev": over(tp + fn, len(rows)),
        "auc": over(won, (tp + fn) * (fp + tn)),
        "tpr": over(tp, tp + fn),
        "fnr": over(fn, tp + fn),
        "fpr": over(fp, fp + tn),
        "ppv": over(tp, tp + fp),
    }


def subgroup_report(y, p, groups, thr, B=200, seed=0, min_n=30, cluster=None):
    generator = random.Random(seed)
    members = {}
    for row in range(len(y)):
        words = []
        for name in sorted(groups.columns):
            value = groups[name].iloc[row]
            words.append(f"{name}=" + ("missing" if pd.isna(value) else f"{value}"))
        who = row if cluster is None else cluster[row]
        patients = members.setdefault(" & ".join(words), {})
        patients.setdefault(who, []).append((int(y[row]), float(p[row])))
    table = []
    for group in sorted(members):
        patients = list(members[group].values())
        rows = [row for own in patients for row in own]
        line = {"group": group, "n": len(rows), "patients": len(patients), "status": "ok"}
        if len(patients) < min_n:
            line["status"] = "insufficient"
            for metric in METRICS:
                line[metric] = line[f"{metric}_lo"] = line[f"{metric}_hi"] = math.nan
            table.append(line)
            continue
        line.update(rates_of(rows, thr))
        drawn = {metric: [] for metric in METRICS}
        for _ in range(B):
            sample = [row for own in generator.choices(patients, k=len(patients)) for row in own]
            for metric, value in rates_of(sample, thr).items():
                if value == value:
                    drawn[metric].append(value)
        for metric in METRICS:
            ends = np.quantile(drawn[metric], (0.025, 0.975)) if drawn[metric] else (math.nan,) * 2
            line[f"{metric}_lo"], line[f"{metric}_hi"] = (float(end) for end in ends)
        table.append(line)
    return pd.DataFrame(table)[REPORT_COLUMNS]


# %% q3
import math
import random


def gap(report, metric):
    best = worst = None
    count = 0
    for row in report.to_dict("records"):
        if row["status"] != "ok" or math.isnan(row[metric]):
            continue
        count += 1
        if best is None or row[metric] > best[metric]:
            best = row
        if worst is None or row[metric] < worst[metric]:
            worst = row
    if count < 2:
        nothing = float("nan")
        return dict(high=None, low=None, gap=nothing, lo=nothing, hi=nothing, claim=False)
    low, high = metric + "_lo", metric + "_hi"
    d = best[metric] - worst[metric]
    lo = d - math.sqrt((best[metric] - best[low]) ** 2 + (worst[high] - worst[metric]) ** 2)
    hi = d + math.sqrt((best[high] - best[metric]) ** 2 + (worst[metric] - worst[low]) ** 2)
    return dict(high=best["group"], low=worst["group"], gap=d, lo=lo, hi=hi, claim=lo > 0)


def range_of(decisions, names):
    counts = {}
    for decision, name in zip(decisions, names):
        flagged, total = counts.get(name, (0, 0))
        counts[name] = (flagged + int(decision), total + 1)
    shares = [flagged / total for flagged, total in counts.values()]
    return max(shares) - min(shares) if len(shares) > 1 else 0.0


def equalised_odds_difference(y, flagged, groups):
    ranges = []
    for label in (0, 1):
        chosen = [row for row in range(len(y)) if y[row] == label]
        ranges.append(range_of([flagged[r] for r in chosen], [groups[r] for r in chosen]))
    return max(ranges)


def permutation_p(y, flagged, groups, metric="tpr", B=999, seed=0):
    wanted = {"tpr": (1,), "fpr": (0,), "rate": (0, 1)}
    if metric not in wanted:
        raise ValueError(f"{metric} is neither tpr nor fpr nor rate")
    chosen = [row for row in range(len(y)) if y[row] in wanted[metric]]
    decisions, names = [flagged[r] for r in chosen], [groups[r] for r in chosen]
    seen = range_of(decisions, names)
    generator = random.Random(seed)
    as_large = 1
    for _ in range(B):
        generator.shuffle(names)
        as_large += range_of(decisions, names) >= seen - 1e-9
    return as_large / (B + 1)


# %% q4
import math


def ece(y, p, bins=10, strategy="width"):
    if strategy == "width":
        edges = [k / bins for k in range(1, bins)]
    else:
        edges = [float(np.quantile(np.asarray(p, dtype=float), k / bins)) for k in range(1, bins)]
    total = [0.0] * bins
    for label, value in zip(y, p):
        place = 0
        while place < bins - 1 and value >= edges[place]:
            place += 1
        total[place] += float(label) - float(value)
    return sum(abs(one) for one in total) / len(p)


def brier_decomposition(y, p, bins=10):
    rows = [(float(a), float(b)) for a, b in zip(y, p)]
    n = len(rows)
    base = sum(label for label, _ in rows) / n
    reliability = resolution = 0.0
    for k in range(bins):
        last = k == bins - 1
        own = [(a, b) for a, b in rows if k / bins <= b and (last or b < (k + 1) / bins)]
        if own:
            mean_y = sum(a for a, _ in own) / len(own)
            mean_p = sum(b for _, b in own) / len(own)
            reliability += len(own) / n * (mean_p - mean_y) ** 2
            resolution += len(own) / n * (mean_y - base) ** 2
    brier = sum((a - b) ** 2 for a, b in rows) / n
    uncertainty = base * (1 - base)
    return dict(
        brier=brier,
        reliability=reliability,
        resolution=resolution,
        uncertainty=uncertainty,
        within=brier - reliability + resolution - uncertainty,
    )


def fit_temperature(logits, y):
    """Golden-section search over 1 / T, in which the loss is convex."""
    z, y = np.asarray(logits, dtype=float), np.asarray(y, dtype=float)

    def loss(beta):
        return float(
            np.mean(np.maximum(z * beta, 0) - z * beta * y + np.log1p(np.exp(-np.abs(z * beta))))
        )

    low, high, ratio = 1 / 50, 1 / 0.02, (math.sqrt(5) - 1) / 2
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    loss_a, loss_b = loss(a), loss(b)
    while high - low > 1e-5 * low:
        if loss_a <= loss_b:
            high, b, loss_b = b, a, loss_a
            a = high - ratio * (high - low)
            loss_a = loss(a)
        else:
            low, a, loss_a = a, b, loss_b
            b = low + ratio * (high - low)
            loss_b = loss(b)
    return min(50.0, max(0.02, 2 / (low + high)))


def ece_null(p, B=500, seed=0, bins=10, strategy="width"):
    """Binned once; only the labels are drawn again."""
    p = np.asarray(p, dtype=float)
    edges = np.arange(1, bins) / bins
    if strategy == "mass":
        edges = np.quantile(p, edges)
    place = (p[:, None] >= edges[None, :]).sum(axis=1)
    rows = [np.flatnonzero(place == k) for k in range(bins)]
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(B):
        error = (generator.random(len(p)) < p) - p
        found.append(sum(abs(error[own].sum()) for own in rows) / len(p))
    return np.array(found)


temperature = fit_temperature(val.meta["overtrained_logit"], val.y)


# %% q7
def net_benefit(y, p, t):
    if np.ndim(t):
        return np.array([net_benefit(y, p, float(one)) for one in np.ravel(t)]).reshape(np.shape(t))
    t = float(t)
    if t < 0 or t >= 1:
        raise ValueError(f"a threshold of {t}")
    gained = lost = 0
    for label, value in zip(y, p):
        if value >= t:
            gained += int(label == 1)
            lost += int(label == 0)
    return gained / len(y) - lost / len(y) * t / (1 - t)


def recalibrate_prevalence(p, pi0, pi1):
    for pi in (pi0, pi1):
        if pi <= 0 or pi >= 1:
            raise ValueError(f"a prevalence of {pi}")

    def moved(one):
        ill, well = one * pi1 / pi0, (1 - one) * (1 - pi1) / (1 - pi0)
        return ill / (ill + well)

    return np.vectorize(moved, otypes=[float])(p)
