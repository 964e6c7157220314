"""Named tuples and dataclasses as results, with properties."""

# %% q1
from dataclasses import asdict, dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Matter:
    pd: np.ndarray
    t1: np.ndarray
    t2: np.ndarray

    def __post_init__(self):
        for name in ("t1", "t2"):
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if (value <= 0).any():
                raise ValueError(f"{name}: a relaxation time must be greater than 0 s")
            object.__setattr__(self, name, value)

    def signal(self, tr, te):
        return self.pd * (np.exp(-te / self.t2) - np.exp(-tr / self.t1 - te / self.t2))


def t1_at_field(A, C, B0):
    return np.asarray(A, float) * np.power(np.asarray(B0, float), np.asarray(C, float))


def spin_echo(pd, t1, t2, tr, te):
    return Matter(np.asarray(pd, float), t1, t2).signal(
        np.asarray(tr, float), np.asarray(te, float)
    )


# %% q4
class Moments(NamedTuple):
    p: np.ndarray
    t: np.ndarray
    pp: np.ndarray
    tt: np.ndarray
    pt: np.ndarray

    @classmethod
    def of_windows(cls, p, t):
        """Sums over 7 × 7 windows from the integral image, of images shifted to mean 0."""

        def window(x):
            total = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(1, 0), (1, 0)]).cumsum(-1).cumsum(-2)
            s = (
                total[..., 7:, 7:]
                - total[..., :-7, 7:]
                - total[..., 7:, :-7]
                + total[..., :-7, :-7]
            )
            return s / 49

        return cls(*(window(x) for x in (p, t, p * p, t * t, p * t)))


@dataclass
class Similarity:
    m: Moments
    shift: np.ndarray
    data_range: float

    def values(self):
        m, n = self.m, 49 / 48
        c1, c2 = (0.01 * self.data_range) ** 2, (0.03 * self.data_range) ** 2
        mu_p, mu_t = m.p + self.shift, m.t + self.shift
        vp, vt, cov = n * (m.pp - m.p**2), n * (m.tt - m.t**2), n * (m.pt - m.p * m.t)
        return (2 * mu_p * mu_t + c1) / (mu_p**2 + mu_t**2 + c1) * (2 * cov + c2) / (vp + vt + c2)


def _counted(values, mask):
    where = (
        np.ones(values.shape, bool)
        if mask is None
        else np.broadcast_to(np.asarray(mask, bool), values.shape)
    )
    out = np.full(values.shape[:-2], np.nan)
    some = where.any(axis=(-2, -1))
    mean = np.sum(values, axis=(-2, -1), where=where) / np.maximum(where.sum(axis=(-2, -1)), 1)
    return np.where(some, mean, out)


def psnr(p, t, data_range, mask=None):
    error = _counted((np.asarray(p, np.float64) - np.asarray(t, np.float64)) ** 2, mask)
    with np.errstate(divide="ignore"):
        return 10 * (2 * np.log10(data_range) - np.log10(error))


def ssim(p, t, data_range, mask=None):
    p, t = np.asarray(p, np.float64), np.asarray(t, np.float64)
    shift = t.mean(axis=(-2, -1), keepdims=True)
    values = Similarity(Moments.of_windows(p - shift, t - shift), shift, data_range).values()
    return _counted(values, None if mask is None else np.asarray(mask)[..., 3:-3, 3:-3])


def nrmse(p, t, mask=None):
    p, t = np.asarray(p, np.float64), np.asarray(t, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(_counted((p - t) ** 2, mask)) / np.sqrt(_counted(t**2, mask))


# %% q8
class Gaussian(NamedTuple):
    mean: np.ndarray
    covariance: np.ndarray


class Coverage(NamedTuple):
    precision: float
    recall: float


@dataclass
class Verdict:
    copy_ratio: float
    memory_ratio: float
    precision: float
    recall: float
    verdict: str = ""

    def __post_init__(self):
        rules = [
            (self.copy_ratio < 0.5, "copying"), (self.memory_ratio < 0.5, "memorising"),
            (self.precision < 0.5, "implausible"), (self.recall < 0.6, "collapsed"), (True, "faithful"),
        ]  # fmt: skip
        self.verdict = dict(reversed([rule for rule in rules if rule[0]])).get(True)


def gaussian_statistics(X):
    X = np.asarray(X, dtype=float)
    if X.shape[0] <= X.shape[1]:
        raise ValueError("more samples than features are needed")
    mean = np.add.reduce(X) / len(X)
    return Gaussian(mean, np.einsum("ni,nj->ij", X - mean, X - mean) / (len(X) - 1))


def frechet_distance(mu1, S1, mu2, S2):
    one, other = (
        Gaussian(np.asarray(m, float), np.asarray(S, float)) for m, S in ((mu1, S1), (mu2, S2))
    )
    values, axes = np.linalg.eigh(one.covariance)
    R = (axes * np.sqrt(values.clip(0))) @ axes.T
    cross = np.sqrt(np.linalg.eigvalsh(R @ other.covariance @ R).clip(min=0)).sum()
    return float(
        max(
            ((one.mean - other.mean) ** 2).sum()
            + np.trace(one.covariance + other.covariance)
            - 2 * cross,
            0.0,
        )
    )


def _table(a, b):
    a, b = (np.asarray(v, float).reshape(len(v), -1) for v in (a, b))
    return np.array([np.linalg.norm(b - row, axis=1) for row in a])


def precision_recall(real, fake, k=3):
    reach = lambda v: np.sort(_table(v, v), axis=1)[:, k]
    between = _table(real, fake)
    return Coverage(
        precision=float((between <= reach(real)[:, None]).any(axis=0).mean()),
        recall=float((between <= reach(fake)).any(axis=1).mean()),
    )


def mode_collapse_report(fake, real, source, train, k=3):
    fake, real, source, train = (
        np.asarray(v, float).reshape(len(v), -1) for v in (fake, real, source, train)
    )
    step = lambda v: np.median(np.hypot.reduce(v - source, axis=1))
    near = lambda v: np.median(_table(v, train).min(axis=1))
    return asdict(
        Verdict(step(fake) / step(real), near(fake) / near(real), *precision_recall(real, fake, k))
    )


# %% q9
class Share(NamedTuple):
    rate: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")

    @classmethod
    def wilson(cls, found, n, z=1.959964):
        if n == 0:
            return cls()
        middle, reach = found + z**2 / 2, z * np.sqrt(found * (n - found) / n + z**2 / 4)
        return cls(
            found / n, float(middle - reach) / (n + z**2), float(middle + reach) / (n + z**2)
        )


class Contrast(NamedTuple):
    lesion: np.ndarray
    ref: np.ndarray

    def of(self, images):
        inside = [v[m].mean() if m.any() else np.nan for v, m in zip(images, self.lesion)]
        outside = [v[m].mean() if m.any() else np.nan for v, m in zip(images, self.ref)]
        return np.subtract(inside, outside, dtype=np.float64)


def lesion_contrast_recovery(pred, target, lesion, ref):
    contrast = Contrast(np.asarray(lesion, bool), np.asarray(ref, bool))
    shown, there = (contrast.of(np.asarray(v, np.float64)) for v in (pred, target))
    there[there == 0] = np.nan
    return shown / there


def hallucination_rate(pred, target, mask, delta):
    excess = np.asarray(pred, float) - np.asarray(target, float)
    rows, columns = excess.shape[1] - 2, excess.shape[2] - 2
    shifted = lambda v: [v[:, i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    whole = np.logical_and.reduce(shifted(np.asarray(mask, bool)))
    bright = np.mean(shifted(excess), axis=0) > delta
    counts = whole.any(axis=(1, 2))
    return Share.wilson(int((whole & bright).any(axis=(1, 2)).sum()), int(counts.sum()))


def bias_map(pred, target, mask=None):
    error = np.ma.masked_array(
        np.asarray(pred, float) - np.asarray(target, float),
        mask=False if mask is None else ~np.asarray(mask, bool),
    )
    return np.ma.filled(error.mean(axis=0), np.nan)


# %% q9
white = (t2_held_out.meta["labels"] == headsim.WHITE) & ~lesions
t2_report = dict(
    psnr=float(psnr(t2_synthetic, t2_held_out.y, RANGE).mean()),
    recovery=float(
        np.nanmean(lesion_contrast_recovery(t2_synthetic, t2_held_out.y, lesions, white))
    ),
    hallucinated=hallucination_rate(t2_synthetic, t2_held_out.y, white, 0.1).rate,
)
