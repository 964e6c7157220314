"""Objects with ``__call__``, enumerations and hooks where the solution has functions."""


# %% q1
class Tissue:
    def __init__(self, A, C):
        self.A, self.C = np.asarray(A, dtype=np.float64), np.asarray(C, dtype=np.float64)

    def __call__(self, B0):
        return np.multiply(self.A, np.float_power(B0, self.C))


class Sequence:
    """A sequence is called with tissue."""

    def __init__(self, tr, te):
        self.tr, self.te = np.asarray(tr, float), np.asarray(te, float)

    def recovered(self, t1):
        return 1.0 - np.exp(np.negative(self.tr) / t1)

    def left(self, t2):
        return np.exp(-np.divide(self.te, t2))

    def __call__(self, pd, t1, t2):
        for name, value in {"t1": t1, "t2": t2}.items():
            if np.min(value) <= 0:
                raise ValueError(f"{name} holds {np.min(value)}, which is no relaxation time")
        return np.asarray(pd) * self.recovered(np.asarray(t1)) * self.left(np.asarray(t2))


def t1_at_field(A, C, B0):
    return Tissue(A, C)(B0)


def spin_echo(pd, t1, t2, tr, te):
    return Sequence(tr, te)(pd, t1, t2)


# %% q2
class Centre:
    """Keeps the centre of k-space by slices around the zero frequency."""

    def __call__(self, img, frac):
        img = np.asarray(img, dtype=float)
        k = np.fft.fftshift(np.fft.fftn(img, axes=(-2, -1)), axes=(-2, -1))
        kept = np.zeros_like(k)
        window = tuple(self.middle(n, frac) for n in img.shape[-2:])
        kept[(..., *window)] = k[(..., *window)]
        return np.fft.ifftn(np.fft.ifftshift(kept, axes=(-2, -1)), axes=(-2, -1)).real

    @staticmethod
    def middle(n, frac):
        most = int(np.floor(n * frac / 2 + 1e-9))
        first = n // 2 - most
        return slice(max(first, 0), min(n // 2 + most + 1, n))


class Receiver:
    def __init__(self, sigma, rng):
        self.draw = lambda shape: rng.normal(scale=sigma, size=shape)

    def __call__(self, signal):
        signal = np.asarray(signal, dtype=float)
        return np.abs(signal + self.draw(signal.shape) + 1j * self.draw(signal.shape))


kspace_truncate = Centre()


def rician(img, sigma, rng):
    return Receiver(sigma, rng)(img)


class Scanner:
    def __call__(self, pd, A, C, t2, rng, *, B0=0.064, tr=0.5, te=0.012, frac=0.5, sigma=0.03):
        clean = spin_echo(pd, t1_at_field(A, C, B0), t2, tr, te)
        return Receiver(sigma, rng)(kspace_truncate(clean, frac))


to_low_field = Scanner()

# %% q5
import enum


class Game(enum.Enum):
    NONSAT = "nonsat"
    LSGAN = "lsgan"
    HINGE = "hinge"
    WGAN = "wgan"

    def critic(self, r, f):
        match self:
            case Game.NONSAT:
                return -(F.logsigmoid(r).mean() + F.logsigmoid(-f).mean())
            case Game.LSGAN:
                return 0.5 * (
                    F.mse_loss(r, torch.ones_like(r)) + F.mse_loss(f, torch.zeros_like(f))
                )
            case Game.HINGE:
                return (1 - r).clamp(min=0).mean() + (1 + f).clamp(min=0).mean()
            case Game.WGAN:
                return f.mean() - r.mean()

    def generator(self, f):
        if self is Game.NONSAT:
            return -F.logsigmoid(f).mean()
        if self is Game.LSGAN:
            return 0.5 * F.mse_loss(f, torch.ones_like(f))
        return torch.neg(f.mean())


class Loss:
    def __init__(self, method):
        self.method = method

    def __call__(self, *logits_and_kind):
        *logits, kind = logits_and_kind
        return getattr(Game(kind), self.method)(*logits)  # Game("…") raises ValueError


d_loss, g_loss = Loss("critic"), Loss("generator")


# %% q5
class Slope:
    """The gradient of an image's score; a graph of it is kept."""

    def __init__(self, D):
        self.D = D

    def __call__(self, images):
        with torch.enable_grad():
            x = images.detach().requires_grad_(True)
            scores = self.D(x).reshape(len(x), -1).mean(dim=1)
            return torch.autograd.grad(scores, x, torch.ones_like(scores), create_graph=True)[
                0
            ].flatten(1)


def gradient_penalty(D, real, fake, alpha, lam=10.0):
    slope = Slope(D)(torch.lerp(fake, real, alpha.to(real)))
    return lam * F.mse_loss(
        torch.linalg.vector_norm(slope, dim=1), torch.ones(len(slope)).to(slope)
    )


def r1(D, real, gamma=10.0, interval=1):
    return 0.5 * gamma * interval * Slope(D)(real).pow(2).sum(1).mean()


# %% q7
class CriticLoss:
    """Real and generated images go through the critic in one batch."""

    def __call__(self, D, source, real, fake, kind="hinge"):
        logits = D(torch.cat([source, source]), torch.cat([real, fake.detach()]))
        return d_loss(*logits.chunk(2), kind)


class GeneratorLoss:
    def __call__(self, D, source, real, fake, kind="hinge", weight=0.01):
        return F.l1_loss(fake, real) + weight * g_loss(D(source, fake), kind)


critic_loss, generator_loss = CriticLoss(), GeneratorLoss()


class Trainer:
    """Least-squares game; each batch is mirrored or not, both networks decay along a cosine."""

    epochs, batch, rate = 22, 8, 4e-3

    def __call__(self, train, val, seed=0, device="cpu", max_seconds=60.0):
        self.end = time.monotonic() + max_seconds
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        self.source, self.target = (lab.to_unit(v, device) for v in train)
        self.G, self.D = UNetGenerator().to(device), PatchDiscriminator().to(device)
        self.optimisers = [
            torch.optim.Adam(net.parameters(), self.rate, betas=(0.5, 0.99))
            for net in (self.D, self.G)
        ]
        for epoch in range(self.epochs):
            for optimiser in self.optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = self.rate * (1 + np.cos(np.pi * epoch / self.epochs)) / 2
            for rows in torch.randperm(len(self.source), generator=generator).split(self.batch):
                self.step(rows, flip=torch.rand((), generator=generator) < 0.5)
                if time.monotonic() > self.end:
                    return self.G.eval()
            print(
                epoch,
                float(
                    np.mean(
                        psnr(translate(self.G, val[0]), lab.to_unit(val[1])[:, 0].numpy(), RANGE)
                    )
                ),
            )
        return self.G.eval()

    def step(self, rows, flip):
        x, y = (v[rows].flip(3) if flip else v[rows] for v in (self.source, self.target))
        fake = self.G(x)
        for loss, optimiser in zip((critic_loss, generator_loss), self.optimisers):
            optimiser.zero_grad(set_to_none=True)
            loss(self.D, x, y, fake, "lsgan").backward()
            optimiser.step()


def train_translator(train, val, seed=0, device="cpu", max_seconds=60.0):
    return Trainer()(train, val, seed, device, max_seconds)


class Translation:
    def __call__(self, model, X, batch=64):
        modes = {module: module.training for module in model.modules()}
        model.eval()
        try:
            with torch.inference_mode():
                device = next(model.parameters()).device
                images = lab.to_unit(X, device).split(batch)
                return torch.cat([model(x)[:, 0].clip(0, 1) for x in images]).cpu().numpy()
        finally:
            for module, mode in modes.items():
                module.training = mode


translate = Translation()

# %% q7
generator = coursekit.load_or_train(
    "a3_gen.safetensors",
    build=UNetGenerator,
    train=lambda: train_translator((train.X, train.y), (val.X, val.y), 0, device, max_seconds=200),
)


# %% q8
class Moments:
    def __call__(self, X):
        X = np.asarray(X, dtype=np.float64)
        n, d = X.shape
        if not n > d:
            raise ValueError(f"{n} samples for {d} features")
        centred = X - (mean := X.mean(axis=0))
        return mean, centred.T @ centred / (n - 1)


gaussian_statistics = Moments()


def frechet_distance(mu1, S1, mu2, S2):
    """From the eigenvalues of the product itself, which are real and 0 or more but for rounding."""
    S1, S2 = np.atleast_2d(np.asarray(S1, float)), np.atleast_2d(np.asarray(S2, float))
    values = np.linalg.eigvals(S1 @ S2)
    root = np.sqrt(np.maximum(values.real, 0)).sum()
    gap = np.subtract(mu1, mu2)
    return max(0.0, float(gap @ gap + np.trace(S1) + np.trace(S2) - 2 * root))


class Balls:
    def __init__(self, samples, k):
        self.centres = np.asarray(samples, float).reshape(len(samples), -1)
        self.radius = np.partition(self.to(self.centres), k, axis=0)[k]

    def to(self, points):
        return np.sqrt(
            ((np.asarray(points, float).reshape(len(points), -1)[:, None] - self.centres) ** 2).sum(
                -1
            )
        )

    def __call__(self, points):
        return float((self.to(points) <= self.radius).any(1).mean())


def precision_recall(real, fake, k=3):
    return Balls(real, k)(fake), Balls(fake, k)(real)


class Report(dict):
    limits = (("copying", "copy_ratio", 0.5), ("memorising", "memory_ratio", 0.5),
              ("implausible", "precision", 0.5), ("collapsed", "recall", 0.6))  # fmt: skip

    def judged(self):
        self["verdict"] = "faithful"
        for name, key, limit in reversed(self.limits):
            if self[key] < limit:
                self["verdict"] = name
        return self


def mode_collapse_report(fake, real, source, train, k=3):
    flat = lambda v: np.asarray(v, float).reshape(len(v), -1)
    norm = lambda v: np.median(np.linalg.norm(v, axis=1))
    near = lambda v: np.median([np.linalg.norm(flat(train) - one, axis=1).min() for one in flat(v)])
    precision, recall = precision_recall(real, fake, k)
    return Report(
        copy_ratio=norm(flat(fake) - flat(source)) / norm(flat(real) - flat(source)),
        memory_ratio=near(fake) / near(real), precision=precision, recall=recall,
    ).judged()  # fmt: skip
