"""pandas: tables grouped by patient, by score and by image."""

# %% q1
import pandas as pd


def patient_split(patient_id, y, fractions=(0.7, 0.15, 0.15), seed=0):
    rows = pd.DataFrame({"patient": list(patient_id), "y": np.asarray(y, dtype=int)})
    patients = rows.groupby("patient", sort=True)["y"].max().rename("positive").reset_index()
    patients = patients.sample(frac=1, random_state=seed)
    within = patients.groupby("positive").cumcount() + 0.5
    patients["place"] = within / patients.groupby("positive")["positive"].transform("size")
    patients = patients.sort_values("place", kind="stable").reset_index(drop=True)
    edges = (np.cumsum([0, *fractions]) * len(patients)).round().astype(int)
    patients["part"] = np.searchsorted(edges[1:-1], patients.index, side="right")
    part = rows.merge(patients[["patient", "part"]], on="patient", how="left")["part"]
    return tuple(part.index[part == k].to_numpy(dtype="int64") for k in range(3))


# %% q5
def confusion(y, yhat):
    table = pd.crosstab(np.asarray(y).astype(int), np.asarray(yhat).astype(int))
    return table.reindex(index=[0, 1], columns=[0, 1], fill_value=0).to_numpy(dtype=np.int64)


def binary_metrics(y, yhat):
    truth = pd.Series(np.asarray(y).astype(bool))
    decision = pd.Series(np.asarray(yhat).astype(bool))
    right = truth == decision
    rates = {
        "accuracy": right.mean(),
        "sensitivity": decision[truth].mean(),
        "specificity": 1 - decision[~truth].mean(),
        "ppv": truth[decision].mean(),
        "npv": 1 - truth[~decision].mean(),
    }
    rates["balanced_accuracy"] = (rates["sensitivity"] + rates["specificity"]) / 2
    cases = truth.sum() + decision.sum()
    rates["f1"] = 2 * (truth & decision).sum() / cases if cases else np.nan
    return pd.Series(rates).astype(float).to_dict()


def roc_auc(y, s):
    frame = pd.DataFrame({"y": np.asarray(y).astype(bool), "s": np.asarray(s)})
    ranks = frame["s"].rank(method="average")
    n1 = int(frame["y"].sum())
    n0 = len(frame) - n1
    if not n1 * n0:
        return float("nan")
    return float((ranks[frame["y"]].mean() - (n1 + 1) / 2) / n0)


def _levels(y, s):
    frame = pd.DataFrame({"y": np.asarray(y).astype(int), "s": np.asarray(s, dtype=float)})
    levels = frame.groupby("s")["y"].agg(["sum", "size"]).sort_index(ascending=False)
    return levels.cumsum().rename(columns={"sum": "tp", "size": "called"})


def average_precision(y, s):
    levels = _levels(y, s)
    total = levels["tp"].iloc[-1]
    if total == 0:
        return float("nan")
    recall, precision = levels["tp"] / total, levels["tp"] / levels["called"]
    return float((recall.diff().fillna(recall.iloc[0]) * precision).sum())


def choose_threshold(y_val, s_val, min_sensitivity):
    levels = _levels(y_val, s_val)
    if levels["tp"].iloc[-1] == 0:
        return float("nan")
    enough = levels["tp"] / levels["tp"].iloc[-1] >= min_sensitivity
    return float(enough.idxmax())


def ppv_at_prevalence(sens, spec, prev):
    joint = pd.Series({"true": sens * prev, "false": (1 - spec) * (1 - prev)})
    return float(joint["true"] / joint.sum()) if joint.sum() else float("nan")


# %% q6
def bootstrap_ci(y, s, patient_id, stat, B=1000, alpha=0.05, seed=0):
    frame = pd.DataFrame({"y": np.asarray(y), "s": np.asarray(s), "patient": list(patient_id)})
    estimate = float(stat(frame["y"].to_numpy(), frame["s"].to_numpy()))
    rows = list(frame.groupby("patient").indices.values())
    if len(rows) < 2:
        return (estimate, float("nan"), float("nan"))
    patients = pd.Series(range(len(rows)))
    rng = np.random.default_rng(seed)
    values = pd.Series(np.nan, index=range(B))
    for b in range(B):
        drawn = patients.sample(frac=1, replace=True, random_state=rng)
        chosen = frame.iloc[np.concatenate([rows[p] for p in drawn])]
        values[b] = stat(chosen["y"].to_numpy(), chosen["s"].to_numpy())
    return (estimate, *values.dropna().quantile([alpha / 2, 1 - alpha / 2]).tolist())


# %% q11
def box_iou(a, b):
    columns = ["x0", "y0", "x1", "y1"]
    table = lambda v: pd.DataFrame(np.asarray(v, dtype=float).reshape(-1, 4), columns=columns)
    a, b = table(a), table(b)
    pairs = a.merge(b, how="cross", suffixes=("", "_b"))
    width = pairs[["x1", "x1_b"]].min(axis=1) - pairs[["x0", "x0_b"]].max(axis=1)
    height = pairs[["y1", "y1_b"]].min(axis=1) - pairs[["y0", "y0_b"]].max(axis=1)
    both = width.clip(lower=0) * height.clip(lower=0)
    area = lambda end: (
        (pairs["x1" + end] - pairs["x0" + end]) * (pairs["y1" + end] - pairs["y0" + end])
    )
    share = (both / (area("") + area("_b") - both)).fillna(0.0)
    return share.to_numpy(dtype=float).reshape(len(a), len(b))


def nms(boxes, scores, thr, labels=None):
    table = pd.DataFrame({"score": np.asarray(scores, dtype=float)})
    table["label"] = 0 if labels is None else np.asarray(labels)
    overlap = box_iou(boxes, boxes)
    kept = []
    for i, row in table.sort_values("score", ascending=False, kind="stable").iterrows():
        same = [j for j in kept if table.at[j, "label"] == row["label"]]
        if not (overlap[i, same] > thr).any():
            kept.append(i)
    return np.array(kept, dtype=np.int64)


def _judged(boxes, scores, truth, iou_thr):
    """Detections best first, with whether each is right."""
    table = pd.DataFrame(
        [(i, k, float(v)) for i, s in enumerate(scores) for k, v in enumerate(s)],
        columns=["image", "k", "score"],
    ).sort_values("score", ascending=False, kind="stable")
    overlaps = [pd.DataFrame(box_iou(b, t)) for b, t in zip(boxes, truth)]
    right = []
    for image, k in zip(table["image"].astype(int), table["k"].astype(int)):
        left = overlaps[image].loc[k] if overlaps[image].shape[1] else pd.Series(dtype=float)
        right.append(bool(len(left) and left.max() >= iou_thr))
        if right[-1]:
            overlaps[image] = overlaps[image].drop(columns=left.idxmax())
    return table.assign(right=np.array(right, dtype=bool)).reset_index(drop=True)


def average_precision_det(boxes, scores, truth, iou_thr=0.5):
    n = sum(len(t) for t in truth)
    if n == 0:
        return float("nan")
    right = _judged(boxes, scores, truth, iou_thr)["right"]
    precision = right.expanding().mean()
    ceiling = precision[::-1].cummax()[::-1]
    return float(ceiling[right].sum() / n)


def froc(boxes, scores, truth, fp_rates=(0.125, 0.25, 0.5, 1, 2, 4, 8), iou_thr=0.5):
    n = sum(len(t) for t in truth)
    if n == 0:
        return np.full(len(fp_rates), np.nan), float("nan")
    judged = _judged(boxes, scores, truth, iou_thr)
    levels = judged.groupby("score")["right"].agg(["sum", "size"]).sort_index(ascending=False)
    curve = levels.cumsum()
    alarms = (curve["size"] - curve["sum"]) / len(truth)
    found = [(curve["sum"][alarms <= rate] / n).max() for rate in fp_rates]
    found = pd.Series(found).fillna(0.0)
    return found.to_numpy(), float(found.mean())
