"""Closures, ``functools.partial`` and lambdas bound to the names that were asked for."""

# %% q1
from functools import partial, reduce

_power_law = lambda A, C, B0: np.multiply(A, np.power(np.asarray(B0, dtype=float), C))
t1_at_field = partial(_power_law)


def _positive(**maps):
    for name, values in maps.items():
        if not np.all(np.greater(values, 0)):
            raise ValueError(f"{name} must be greater than 0 everywhere")


def spin_echo(pd, t1, t2, tr, te):
    _positive(t1=t1, t2=t2)
    decay = lambda time, constant: np.exp(-np.asarray(time, float) / np.asarray(constant, float))
    return reduce(np.multiply, (np.asarray(pd, float), 1 - decay(tr, t1), decay(te, t2)))


# %% q2
def _low_pass(n, frac):
    return np.array([abs(k if k <= n / 2 else k - n) <= frac * n / 2 for k in range(n)])


def kspace_truncate(img, frac):
    """One axis after the other."""

    def along(x, axis):
        shape = [1] * x.ndim
        shape[axis] = -1
        gain = _low_pass(x.shape[axis], frac).reshape(shape)
        return np.fft.ifft(np.fft.fft(x, axis=axis) * gain, axis=axis)

    x = np.asarray(img, dtype=float)
    return np.real(reduce(along, (x.ndim - 2, x.ndim - 1), x))


def rician(img, sigma, rng):
    """Polar coordinates: a Rayleigh length in a uniform direction."""
    img = np.asarray(img, dtype=float)
    length, angle = rng.rayleigh(sigma, img.shape), rng.uniform(0, 2 * np.pi, img.shape)
    return np.sqrt(img**2 + 2 * img * length * np.cos(angle) + length**2)


def _chain(*steps):
    return lambda x: reduce(lambda value, step: step(value), steps, x)


def to_low_field(pd, A, C, t2, rng, *, B0=0.064, tr=0.5, te=0.012, frac=0.5, sigma=0.03):
    return _chain(
        lambda b: t1_at_field(A, C, b),
        lambda t1: spin_echo(pd, t1, t2, tr, te),
        partial(kspace_truncate, frac=frac),
        partial(rician, sigma=sigma, rng=rng),
    )(B0)


# %% q5
_mean_of = lambda f: lambda z: f(z).mean()
_TERMS = {  # of real logits, of fake logits, and of fake logits for the generator
    "nonsat": (lambda r: F.softplus(-r), F.softplus, lambda f: F.softplus(-f)),
    "lsgan": (lambda r: (r - 1) ** 2 / 2, lambda f: f**2 / 2, lambda f: (f - 1) ** 2 / 2),
    "hinge": (lambda r: F.relu(1 - r), lambda f: F.relu(1 + f), torch.neg),
    "wgan": (torch.neg, lambda f: f, torch.neg),
}


def _terms(kind):
    try:
        return tuple(map(_mean_of, _TERMS[kind]))
    except KeyError:
        raise ValueError(f"unknown kind {kind!r}") from None


d_loss = lambda real_logits, fake_logits, kind: (
    _terms(kind)[0](real_logits) + _terms(kind)[1](fake_logits)
)
g_loss = lambda fake_logits, kind: _terms(kind)[2](fake_logits)


def _penalty(of_norm, points):
    def penalty(D, *images):
        x = points(*images).detach().requires_grad_()
        slopes = torch.autograd.grad(
            D(x).flatten(1).mean(1).sum() if D(x).dim() > 1 else D(x).sum(), x, create_graph=True
        )
        return of_norm(slopes[0].flatten(1).norm(dim=1)).mean()

    return penalty


_gp = _penalty(lambda norm: (norm - 1) ** 2, lambda real, fake, alpha: fake + alpha * (real - fake))
_r1 = _penalty(torch.square, lambda real: real.clone())
gradient_penalty = lambda D, real, fake, alpha, lam=10.0: lam * _gp(D, real, fake, alpha)
r1 = lambda D, real, gamma=10.0, interval=1: (0.5 * gamma * interval) * _r1(D, real)

# %% q6
_BLOCKS = lambda w, c: ((c, w), (w, 2 * w), (2 * w, 4 * w))


class UNetGenerator(nn.Module):
    def __init__(
        self,
        width=8,
        in_channels=1,
        *,
        block=lab.ConvBlock,
        pool=partial(F.max_pool2d, kernel_size=2),
    ):
        super().__init__()
        self.shrink = pool
        self.down = nn.ModuleList([block(*size) for size in _BLOCKS(width, in_channels)])
        grown = [4 * width, 2 * width, width]
        self.up = nn.ModuleList([nn.ConvTranspose2d(a, b, 2, 2) for a, b in zip(grown, grown[1:])])
        self.merge = nn.ModuleList([block(2 * b, b) for b in grown[1:]])
        self.head = nn.Conv2d(width, 1, kernel_size=1, bias=True)

    def forward(self, x):
        skips = reduce(
            lambda seen, block: [*seen, block(self.shrink(seen[-1]))],
            self.down[1:],
            [self.down[0](x)],
        )
        join = lambda below, step: step[1](torch.cat([step[0](below), step[2]], dim=1))
        return x[:, :1, :, :] + self.head(
            reduce(join, zip(self.up, self.merge, skips[1::-1]), skips[2])
        )


class PatchDiscriminator(nn.Module):
    def __init__(self, width=16, in_channels=1):
        super().__init__()
        leaky = partial(nn.LeakyReLU, 0.2)
        normed = lambda *a, **k: spectral_norm(nn.Conv2d(*a, **k), n_power_iterations=1)
        halve = dict(kernel_size=4, stride=2, padding=1)
        self.layers = nn.Sequential(
            normed(2 * in_channels, width, **halve), leaky(), normed(width, 2 * width, **halve), leaky(),
            normed(2 * width, 1, kernel_size=3, stride=1, padding=1),
        )  # fmt: skip
        self.judge = lambda *images: self.layers(torch.cat(images, dim=1))

    def forward(self, source, image):
        return self.judge(source, image)


receptive_field = lambda layers: reduce(
    lambda state, layer: (
        state[0] + (layer[0] - 1) * (*layer, 1)[2] * state[1],
        state[1] * layer[1],
    ),
    layers,
    (1, 1),
)[0]


def power_iteration(W, n=50):
    with torch.no_grad():
        M = W.reshape(len(W), -1)
        unit = lambda x: x / x.norm().clamp(min=torch.finfo(x.dtype).tiny)
        start = unit(
            torch.randn(len(M), dtype=torch.float64, generator=torch.Generator().manual_seed(1)).to(
                M.dtype
            )
        )
        u = reduce(lambda u, _: unit(M @ unit(u @ M)), range(n), start)
        return (u @ M).norm()


spectrally_normalised = lambda W, n=50: W / power_iteration(W, n)

# %% q7
critic_loss = lambda D, source, real, fake, kind="hinge": d_loss(
    D(source, real), D(source, fake.data), kind
)


def generator_loss(D, source, real, fake, kind="hinge", weight=0.01):
    error = (real - fake).abs().sum() / fake.numel()
    return error + weight * g_loss(D(source, fake), kind)


def _stepper(net, loss, rate, steps):
    optimiser = torch.optim.NAdam(net.parameters(), lr=rate, betas=(0.5, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)

    def step(*inputs):
        net.requires_grad_(True)
        optimiser.zero_grad()
        loss(*inputs).backward()
        optimiser.step()
        schedule.step()

    return step


def train_translator(train, val, seed=0, device="cpu", max_seconds=60.0):
    """The images are mirrored one by one, not batch by batch; the discriminator has a smaller rate."""
    over = lambda since=time.monotonic(): time.monotonic() - since > max_seconds
    torch.manual_seed(seed)
    X, Y = (lab.to_unit(v, device) for v in train)
    G, D = UNetGenerator().to(device), PatchDiscriminator().to(device)
    epochs, size = 20, 8
    steps = epochs * -(-len(X) // size)
    critic, maker = _stepper(D, critic_loss, 2e-3, steps), _stepper(G, generator_loss, 4e-3, steps)
    for epoch in range(epochs):
        for rows in torch.randperm(len(X)).split(size):
            turn = (torch.rand(len(rows)) < 0.5).to(device)[:, None, None, None]
            x, y = (torch.where(turn, v[rows].flip(-1), v[rows]) for v in (X, Y))
            fake = G(x)
            critic(D, x, y, fake)
            maker(D, x, y, fake)
            if over():
                return G.eval()
        print(
            f"{epoch + 1}: {np.mean(psnr(translate(G, val[0]), lab.to_unit(val[1])[:, 0].numpy(), RANGE)):.2f}"
        )
    return G.eval()


def translate(model, X, batch=64):
    mode, device = model.training, next(model.parameters()).device
    ask = torch.no_grad()(
        lambda part: model.eval()(lab.to_unit(part, device))[:, 0].clamp(0, 1).cpu().numpy()
    )
    answers = [ask(X[i : i + batch]) for i in range(0, len(X), batch)]
    model.train(mode)
    return np.concatenate(answers)


generator = coursekit.load_or_train(
    "a3_gen.safetensors", UNetGenerator,
    partial(train_translator, (train.X, train.y), (val.X, val.y), seed=0, device=device, max_seconds=200),
)  # fmt: skip
