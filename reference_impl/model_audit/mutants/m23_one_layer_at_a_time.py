"""Each layer is re-initialised on a fresh copy: the cascade does not accumulate.

question: q6
caught_by: test_cascade
"""


def saliency_sanity(model, explainer, x, seed=0):
    import copy

    trained = explainer(model, x).detach().abs().flatten(1)
    names = [n for n, m in model.named_modules() if hasattr(m, "reset_parameters")][::-1]
    layers = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name in names:
            ruin = copy.deepcopy(model)
            ruin.get_submodule(name).reset_parameters()
            other = explainer(ruin, x).detach().abs().flatten(1)
            layers[name] = float(
                np.mean([stats.spearmanr(a, b)[0] for a, b in zip(trained, other)])
            )
    return {"layers": layers, "flag": bool(np.mean(list(layers.values())) > 0.5)}
