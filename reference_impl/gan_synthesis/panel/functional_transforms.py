"""``torch.func``: gradients of one image's score, mapped over the batch; a stateless training step."""


# %% q5
def d_loss(real_logits, fake_logits, kind):
    one, zero = (lambda z: torch.ones_like(z)), (lambda z: torch.zeros_like(z))
    cross_entropy = F.binary_cross_entropy_with_logits
    if kind == "nonsat":
        return cross_entropy(real_logits, one(real_logits)) + cross_entropy(
            fake_logits, zero(fake_logits)
        )
    if kind == "lsgan":
        return (
            F.mse_loss(real_logits, one(real_logits)) + F.mse_loss(fake_logits, zero(fake_logits))
        ) / 2
    if kind == "hinge":
        target = one(real_logits.flatten())
        return F.hinge_embedding_loss(real_logits.flatten(), -target) + F.hinge_embedding_loss(
            -fake_logits.flatten(), -one(fake_logits.flatten())
        )
    if kind == "wgan":
        return torch.mean(fake_logits) - torch.mean(real_logits)
    raise ValueError(f"unknown kind {kind!r}")


def g_loss(fake_logits, kind):
    ones = torch.ones_like(fake_logits)
    match kind:
        case "nonsat":
            return F.binary_cross_entropy_with_logits(fake_logits, ones)
        case "lsgan":
            return F.mse_loss(fake_logits, ones) / 2
        case "hinge" | "wgan":
            return fake_logits.mean().neg()
        case _:
            raise ValueError(f"unknown kind {kind!r}")


def _slope(D):
    """From one image [C, H, W] to the gradient of its score."""
    return torch.func.grad(lambda image: D(image.unsqueeze(0)).mean())


def gradient_penalty(D, real, fake, alpha, lam=10.0):
    between = alpha * real.detach() + (1 - alpha) * fake.detach()
    excess = lambda image: (_slope(D)(image).norm() - 1) ** 2
    return lam * torch.func.vmap(excess)(between).mean()


def r1(D, real, gamma=10.0, interval=1):
    return (
        gamma
        / 2
        * torch.func.vmap(lambda image: _slope(D)(image).square().sum())(real).mean()
        * interval
    )


# %% q6
class UNetGenerator(nn.Module):
    def __init__(self, width=8, in_channels=1):
        super().__init__()
        fine, middle, coarse = width, width * 2, width * 4
        self.head = nn.Conv2d(fine, 1, 1)
        self.merge = nn.ModuleList(
            [lab.ConvBlock(middle + middle, middle), lab.ConvBlock(fine + fine, fine)]
        )
        self.up = nn.ModuleList(
            [
                nn.ConvTranspose2d(coarse, middle, 2, stride=2),
                nn.ConvTranspose2d(middle, fine, 2, stride=2),
            ]
        )
        self.down = nn.ModuleList(
            [
                lab.ConvBlock(in_channels, fine),
                lab.ConvBlock(fine, middle),
                lab.ConvBlock(middle, coarse),
            ]
        )

    @staticmethod
    def halved(x):
        return torch.amax(F.pixel_unshuffle(x, 2).unflatten(1, (x.shape[1], 4)), dim=2)

    def forward(self, x):
        a = self.down[0](x)
        b = self.down[1](self.halved(a))
        c = self.down[2](self.halved(b))
        d = self.merge[0](torch.cat([self.up[0](c), b], dim=1))
        e = self.merge[1](torch.cat([self.up[1](d), a], dim=1))
        return self.head(e) + x[:, 0].unsqueeze(1)


class PatchDiscriminator(nn.Module):
    def __init__(self, width=16, in_channels=1):
        super().__init__()
        convolution = lambda *size: spectral_norm(nn.Conv2d(*size))
        self.layers = nn.Sequential(
            convolution(in_channels + in_channels, width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            convolution(width, width + width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            convolution(width + width, 1, 3, 1, 1),
        )

    def forward(self, source, image):
        return nn.Sequential.forward(self.layers, torch.cat([source, image], dim=-3))


def receptive_field(layers):
    """Asked of a network of ones: which pixels does the middle value feel?"""
    if not layers:
        return 1
    layers = [(*layer, 1)[:3] for layer in layers]
    size = 1
    for kernel, stride, dilation in layers[::-1]:
        size = (size - 1) * stride + (kernel - 1) * dilation + 1
    x = torch.zeros(1, 1, size + 5, requires_grad=True)
    y = x
    for kernel, stride, dilation in layers:
        y = F.conv1d(y, torch.ones(1, 1, kernel), stride=stride, dilation=dilation)
    felt = torch.nonzero(torch.autograd.grad(y[0, 0, 0], x)[0].flatten()).flatten()
    return int(felt.max() - felt.min() + 1)


def power_iteration(W, n=50):
    matrix = W.detach().flatten(1)
    u = torch.sin(torch.arange(1, len(matrix) + 1).to(matrix))
    for _ in range(n):
        # the gradient of half the squared length of W' u is W W' u
        u = F.normalize(torch.func.grad(lambda u: 0.5 * (u @ matrix).square().sum())(u), dim=0)
    return torch.linalg.vector_norm(u @ matrix)


def spectrally_normalised(W, n=50):
    sigma = power_iteration(W, n)
    return W.div(sigma)


# %% q7
def critic_loss(D, source, real, fake, kind="hinge"):
    with torch.no_grad():
        image = fake.clone()
    return d_loss(real_logits=D(source, real), fake_logits=D(source, image), kind=kind)


def generator_loss(D, source, real, fake, kind="hinge", weight=0.01):
    return torch.linalg.vector_norm(fake - real, ord=1) / real.numel() + torch.mul(
        g_loss(D(source, fake), kind), weight
    )


def train_translator(train, val, seed=0, device="cpu", max_seconds=60.0):
    """Two passes through the generator a batch: one for the critic without a graph, one to learn from."""
    started = time.perf_counter()
    torch.manual_seed(seed)
    x_all, y_all = lab.to_unit(train[0], device), lab.to_unit(train[1], device)
    G, D = UNetGenerator().to(device), PatchDiscriminator(width=8).to(device)
    opt_g = torch.optim.AdamW(G.parameters(), lr=5e-3, betas=(0.5, 0.99), weight_decay=1e-4)
    opt_d = torch.optim.RMSprop(D.parameters(), lr=1e-3)
    epochs = 20
    steps = epochs * -(-len(x_all) // 8)
    warm = lambda t: min((t + 1) / (0.1 * steps), 1 - 0.98 * t / steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(opt_g, warm)
    for epoch in range(epochs):
        G.train()
        for rows in torch.randperm(len(x_all)).split(8):
            x, y = x_all[rows], y_all[rows]
            if torch.rand(()) < 0.5:
                x, y = x.flip(-1), y.flip(-1)
            with torch.no_grad():
                fake = G(x)
            opt_d.zero_grad()
            critic_loss(D, x, y, fake, "nonsat").backward()
            opt_d.step()
            opt_g.zero_grad()
            generator_loss(D, x, y, G(x), "nonsat").backward()
            opt_g.step()
            schedule.step()
            if time.perf_counter() - started > max_seconds:
                return G.eval()
        if len(val[0]):
            print(
                f"{epoch}: {psnr(translate(G, val[0]), lab.to_unit(val[1])[:, 0].numpy(), RANGE).mean():.2f} dB"
            )
    return G.eval()


def translate(model, X, batch=64):
    was = model.training
    device = next(model.parameters()).device
    model.eval()
    out = np.empty(np.shape(X), dtype=np.float32)
    with torch.no_grad():
        for i in range(0, len(X), batch):
            out[i : i + batch] = np.clip(
                model(lab.to_unit(X[i : i + batch], device)).cpu().numpy()[:, 0], 0, 1
            )
    if was:
        model.train()
    return out


# %% q7
generator = None
with lab.needs("q5", "q6", "q7"):
    generator = coursekit.load_or_train(
        "a3_gen.safetensors",
        UNetGenerator,
        lambda: train_translator(
            (train.X, train.y), (val.X, val.y), device=device, max_seconds=200
        ),
    )
