"""Objects with ``__call__`` where the solution has functions."""

# %% q1
import hashlib


class PatientSplit:
    """Orders patients by a digest of their rank and interleaves the classes."""

    def __call__(self, patient_id, y, fractions=(0.7, 0.15, 0.15), seed=0):
        names, rank = np.unique(np.asarray(patient_id), return_inverse=True)
        positive = np.bincount(rank, weights=np.asarray(y, dtype=float)) > 0
        key = [hashlib.sha256(f"{seed}:{i}".encode()).digest() for i in range(len(names))]
        place = {}
        for label in (True, False):
            members = sorted(np.flatnonzero(positive == label), key=lambda i: key[i])
            for order, member in enumerate(members):
                place[member] = (order + 0.5) / len(members)
        queue = np.array(sorted(place, key=lambda i: (place[i], key[i])), dtype=np.int64)
        first = round(fractions[0] * len(names))
        second = round((fractions[0] + fractions[1]) * len(names))
        parts = queue[:first], queue[first:second], queue[second:]
        return tuple(np.flatnonzero(np.isin(rank, part)).astype(np.int64) for part in parts)


patient_split = PatientSplit()


# %% q2
class Normaliser:
    """Keeps nothing: ``fit_normaliser`` and ``apply`` are two methods of one object."""

    axes = (0, 2, 3)

    def fit(self, X):
        X = np.asarray(X)
        mean = X.mean(axis=self.axes, dtype=np.float64)
        std = X.std(axis=self.axes, dtype=np.float64)
        constant = X.min(axis=self.axes) == X.max(axis=self.axes)
        std[constant] = 1.0
        return mean, std

    def apply(self, X, stats):
        X = np.asarray(X)
        mean, std = stats
        kind = np.float64 if X.dtype == np.float64 else np.float32
        out = X.astype(kind)
        out -= np.asarray(mean, kind)[None, :, None, None]
        out /= np.asarray(std, kind)[None, :, None, None]
        return out


fit_normaliser, apply = Normaliser().fit, Normaliser().apply


class Symmetries:
    """One of the symmetries of the rectangle, of the square if the image is one."""

    rectangle = (
        lambda v: v,
        lambda v: np.flip(v, -1),
        lambda v: np.flip(v, -2),
        lambda v: np.flip(v, (-2, -1)),
    )

    def __call__(self, x, mask, rng):
        moves = list(self.rectangle)
        if mask.shape[0] == mask.shape[1]:
            moves += [lambda v, m=m: np.swapaxes(m(v), -2, -1) for m in self.rectangle]
        move = moves[rng.choice(len(moves))]
        return move(x).copy(), move(mask).copy()


augment = Symmetries()


# %% q3
class Convolution:
    """Windows by ``nn.Unfold``, products by ``torch.bmm``."""

    def __call__(self, x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
        pairs = {"stride": stride, "padding": padding, "dilation": dilation}
        pairs = {k: v if hasattr(v, "__len__") else (v, v) for k, v in pairs.items()}
        windows = nn.Unfold(w.shape[-2:], **pairs)(x)
        batch, _, places = windows.shape
        out_channels, fan_in = w.shape[0], w[0].numel()
        windows = windows.reshape(batch * groups, fan_in, places)
        kernels = w.reshape(groups, out_channels // groups, fan_in).repeat(batch, 1, 1)
        out = torch.bmm(kernels, windows).view(batch, out_channels, *self.size(x, w, pairs))
        if b is not None:
            out = out + b.view(1, -1, 1, 1)
        return out

    @staticmethod
    def size(x, w, pairs):
        span = [d * (k - 1) + 1 for d, k in zip(pairs["dilation"], w.shape[-2:])]
        whole = [n + 2 * p for n, p in zip(x.shape[-2:], pairs["padding"])]
        return [(n - k) // s + 1 for n, k, s in zip(whole, span, pairs["stride"])]


conv2d = Convolution()


# %% q5
class Confusion:
    def __call__(self, y, yhat):
        truth, decision = np.asarray(y, dtype=bool), np.asarray(yhat, dtype=bool)
        count = lambda t, d: np.count_nonzero((truth == t) & (decision == d))
        return np.array([[count(t, d) for d in (False, True)] for t in (False, True)], np.int64)


confusion = Confusion()


class Rates(dict):
    """Counts in, rates out."""

    def __init__(self, table):
        (tn, fp), (fn, tp) = np.asarray(table, dtype=np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            super().__init__(
                accuracy=np.divide(tp + tn, tp + tn + fp + fn),
                sensitivity=np.divide(tp, tp + fn),
                specificity=np.divide(tn, tn + fp),
                ppv=np.divide(tp, tp + fp),
                npv=np.divide(tn, tn + fn),
                f1=np.divide(2 * tp, 2 * tp + fp + fn),
            )
        self["balanced_accuracy"] = np.mean([self["sensitivity"], self["specificity"]])


def binary_metrics(y, yhat):
    return Rates(confusion(y, yhat))


class RankTest:
    """The AUC as the Mann-Whitney statistic, from two binary searches."""

    def __call__(self, y, s):
        y, s = np.asarray(y).astype(bool), np.asarray(s)
        positive, negative = s[y], np.sort(s[~y])
        if not (len(positive) and len(negative)):
            return np.nan
        below = np.searchsorted(negative, positive, side="left")
        up_to = np.searchsorted(negative, positive, side="right")
        return (below + up_to).mean() / (2 * len(negative))


roc_auc = RankTest()


class StepArea:
    def __call__(self, y, s):
        y = np.asarray(y).astype(int)
        if y.sum() == 0:
            return np.nan
        scores, level = np.unique(np.asarray(s), return_inverse=True)
        positives = np.bincount(level, weights=y, minlength=len(scores))[::-1]
        everyone = np.bincount(level, minlength=len(scores))[::-1]
        precision = np.cumsum(positives) / np.cumsum(everyone)
        return np.dot(positives / y.sum(), precision)


average_precision = StepArea()


class Threshold:
    def __call__(self, y_val, s_val, min_sensitivity):
        y, s = np.asarray(y_val) == 1, np.asarray(s_val)
        if not y.any():
            return np.nan
        usable = [t for t in np.unique(s) if np.mean(s[y] >= t) >= min_sensitivity]
        return float(max(usable))


choose_threshold = Threshold()


class Bayes:
    def __call__(self, sens, spec, prev):
        joint = np.array([sens * prev, (1 - spec) * (1 - prev)])
        return joint[0] / joint.sum() if joint.sum() > 0 else np.nan


ppv_at_prevalence = Bayes()


# %% q6
class Bootstrap:
    def __call__(self, y, s, patient_id, stat, B=1000, alpha=0.05, seed=0):
        self.y, self.s = np.asarray(y), np.asarray(s)
        order = np.argsort(np.asarray(patient_id), kind="stable")
        _, starts = np.unique(np.asarray(patient_id)[order], return_index=True)
        self.clusters = np.split(order, starts[1:])
        estimate = stat(self.y, self.s)
        if len(self.clusters) == 1:
            return estimate, np.nan, np.nan
        self.rng = np.random.default_rng(seed)
        values = np.array([self.resample(stat) for _ in range(B)])
        low, high = np.nanpercentile(values, [50 * alpha, 100 - 50 * alpha])
        return estimate, low, high

    def resample(self, stat):
        drawn = self.rng.choice(len(self.clusters), size=len(self.clusters), replace=True)
        rows = np.hstack([self.clusters[i] for i in drawn])
        return stat(self.y[rows], self.s[rows])


bootstrap_ci = Bootstrap()


# %% q8
class BestSoFar:
    """Remembers the best weights as bytes."""

    def __init__(self, model, mode):
        self.model, self.sign = model, {"max": 1, "min": -1}[mode]
        self.score, self.waited = -np.inf, 0
        self.keep()

    def keep(self):
        self.weights = io.BytesIO()
        torch.save(self.model.state_dict(), self.weights)

    def look_at(self, score):
        if self.sign * score > self.score:
            self.score, self.waited = self.sign * score, 0
            self.keep()
        else:
            self.waited += 1

    def read(self):
        self.weights.seek(0)
        return torch.load(self.weights)


class EarlyStopping:
    def __call__(self, model, step, evaluate, patience, mode="max", max_epochs=100):
        best = BestSoFar(model, mode)
        for _ in range(max_epochs):
            step(model)
            best.look_at(evaluate(model))
            if best.waited == patience:
                break
        model.load_state_dict(best.read())
        return best.read()


import io

fit_with_early_stopping = EarlyStopping()


# %% q9
class ChannelAdapter:
    """Multiplies the kernels by a matrix from old to new channels."""

    def __call__(self, w, in_ch):
        to_new = torch.eye(3, in_ch, dtype=w.dtype)
        if in_ch == 1:
            to_new = torch.ones(3, 1, dtype=w.dtype)
        return nn.Parameter(torch.einsum("oiuv,ij->ojuv", w.detach(), to_new))


adapt_first_conv = ChannelAdapter()


class FineTuning:
    def __call__(self, model, n_classes, freeze=(), lr_head=1e-3, lr_body=1e-4):
        tuned = copy.deepcopy(model)
        tuned.head = nn.Linear(model.head.in_features, n_classes)
        for name in freeze:
            part = tuned.get_submodule(name)
            for parameter in part.parameters():
                parameter.requires_grad = False
            for module in part.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    # whatever train() said: when the module is used it is in evaluation mode
                    module.register_forward_pre_hook(self.evaluate)
        groups = [
            {"params": [p], "lr": lr_head if name.startswith("head.") else lr_body}
            for name, p in tuned.named_parameters()
            if p.requires_grad
        ]
        return tuned, groups

    @staticmethod
    def evaluate(module, inputs):
        module.eval()


prepare_finetune = FineTuning()
