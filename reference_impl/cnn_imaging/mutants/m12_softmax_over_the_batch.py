"""Probabilities sum to one over the images of a batch, not over the classes.

question: q7
caught_by: test_neighbours_do_not_matter
"""


def predict_proba(model, X, batch=256):
    where = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        parts = [
            torch.softmax(model(lab.to_unit(X[start : start + batch], where)), dim=0)[:, 1].cpu()
            for start in range(0, len(X), batch)
        ]
    return torch.cat(parts).numpy()
