"""The model is asked in whatever mode it was left in.

question: q7
caught_by: test_evaluation_mode
"""


def translate(model, X, batch=64):
    where = next(model.parameters()).device
    with torch.no_grad():
        parts = [
            model(lab.to_unit(X[first : first + batch], where))[:, 0].clamp(0, 1).cpu()
            for first in range(0, len(X), batch)
        ]
    return torch.cat(parts).numpy()
