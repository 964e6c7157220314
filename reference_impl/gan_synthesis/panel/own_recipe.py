"""Trains its own generators: the least-squares game, lazy R1, a schedule by hand, averaged weights.

weights: trained
"""


# %% q5
def d_loss(real_logits, fake_logits, kind):
    if kind not in {"nonsat", "lsgan", "hinge", "wgan"}:
        raise ValueError(f"{kind!r} is no game that is known here")
    real, fake = real_logits.reshape(-1), fake_logits.reshape(-1)
    if kind == "nonsat":
        return -torch.log(torch.sigmoid(real)).mean() + F.softplus(fake).sum() / fake.numel()
    if kind == "lsgan":
        return 0.5 * (
            torch.linalg.vector_norm(real - 1) ** 2 / len(real)
            + torch.linalg.vector_norm(fake) ** 2 / len(fake)
        )
    if kind == "hinge":
        return torch.clamp(1 - real, min=0.0).mean() + torch.clamp(1 + fake, min=0.0).mean()
    return torch.sub(fake.mean(), real.mean())


def g_loss(fake_logits, kind):
    if kind == "lsgan":
        return torch.nn.MSELoss()(fake_logits, torch.ones_like(fake_logits)) * 0.5
    if kind == "nonsat":
        return torch.nn.Softplus(beta=1, threshold=50)(-fake_logits).mean()
    if kind in ("hinge", "wgan"):
        return -torch.mean(fake_logits)
    raise ValueError(f"{kind!r} is no game that is known here")


def gradient_penalty(D, real, fake, alpha, lam=10.0):
    x = (fake + (real - fake) * alpha).detach().requires_grad_()
    logits = D(x).flatten().reshape(len(x), -1)
    slope = torch.autograd.grad(logits.mean(1).unbind(), x, create_graph=True)[0].flatten(1)
    return lam * (slope.norm(dim=1) - 1).square().mean()


def r1(D, real, gamma=10.0, interval=1):
    """By the sum of squares of all images at once: images do not see each other."""
    x = real.detach().clone().requires_grad_()
    logits = D(x)
    each = logits[0].numel() if logits.dim() > 1 else 1
    (slope,) = torch.autograd.grad(logits.sum() / each, x, create_graph=True)
    return interval * (gamma / 2) * slope.square().sum() / len(x)


# %% q7
def critic_loss(D, source, real, fake, kind="hinge"):
    return d_loss(D(source, real), D(source, fake.detach().clone()), kind)


def generator_loss(D, source, real, fake, kind="hinge", weight=0.01):
    return torch.mean(torch.abs(real - fake)) + g_loss(D(source, fake), kind) * weight


# %% q7
def train_translator(train, val, seed=0, device="cpu", max_seconds=60.0):
    begin = time.monotonic()
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed + 1)
    X, Y = (lab.to_unit(images, device) for images in train)
    G, D = UNetGenerator().to(device), PatchDiscriminator().to(device)
    averaged = UNetGenerator().to(device)
    averaged.load_state_dict(G.state_dict())
    epochs, size, peak = 24, 8, 5e-3
    total = epochs * -(-len(X) // size)
    of_d, of_g = (torch.optim.Adam(net.parameters(), lr=peak, betas=(0.5, 0.99)) for net in (D, G))
    step = 0
    while step < total and time.monotonic() - begin < max_seconds:
        for rows in np.array_split(draw.permutation(len(X)), -(-len(X) // size)):
            rate = peak * min(
                10 * (step + 1) / total, (1 + np.cos(np.pi * max(0, step / total - 0.1) / 0.9)) / 2
            )
            for group in (*of_d.param_groups, *of_g.param_groups):
                group["lr"] = max(float(rate), 1e-6)
            x, y = X[rows], Y[rows]
            if draw.random() < 0.5:
                x, y = x.flip(-1), y.flip(-1)
            fake = G(x)
            loss = critic_loss(D, x, y, fake, "lsgan")
            if step % 16 == 0:
                loss = loss + r1(lambda image: D(x, image), y, gamma=0.1, interval=16)
            of_d.zero_grad()
            loss.backward()
            of_d.step()
            of_g.zero_grad()
            generator_loss(D, x, y, fake, "lsgan").backward()
            of_g.step()
            step += 1
            with torch.no_grad():
                for slow, now in zip(averaged.parameters(), G.parameters()):
                    slow.lerp_(now, 0.1 if step > 20 else 1.0)
            if time.monotonic() - begin > max_seconds:
                break
        print(
            f"step {step}: {psnr(translate(averaged, val[0]), lab.to_unit(val[1])[:, 0].numpy(), RANGE).mean():.2f} dB"
        )
    return averaged.eval()


def translate(model, X, batch=64):
    mode = model.training
    model.eval()
    where = next(model.parameters()).device
    with torch.inference_mode():
        answers = [model(lab.to_unit(X[at : at + batch], where)) for at in range(0, len(X), batch)]
    model.train(mode)
    return torch.cat(answers)[:, 0].clamp(min=0, max=1).cpu().numpy()


# %% q7
generator = coursekit.load_or_train(
    "a3_gen.safetensors",
    build=UNetGenerator,
    train=lambda: train_translator(
        (train.X, train.y), (val.X, val.y), seed=0, device=device, max_seconds=200
    ),
)
