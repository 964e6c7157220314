"""Prediction in training mode: batch norm uses the batch at hand.

question: q7
caught_by: test_neighbours_do_not_matter
"""

classifier.train()


def predict_proba(model, X, batch=256):
    where = next(model.parameters()).device
    with torch.no_grad():
        parts = [
            torch.softmax(model(lab.to_unit(X[start : start + batch], where)), dim=1)[:, 1].cpu()
            for start in range(0, len(X), batch)
        ]
    return torch.cat(parts).numpy()
