"""The best weights are a reference to the live ones.

question: q8
caught_by: test_kept_weights_are_a_copy, test_best_weights_are_returned
"""


def fit_with_early_stopping(model, step, evaluate, patience, mode="max", max_epochs=100):
    sign = 1.0 if mode == "max" else -1.0
    best_score, best, waited = -float("inf"), model.state_dict(), 0
    for _ in range(max_epochs):
        step(model)
        score = sign * float(evaluate(model))
        if score > best_score:
            best_score, best, waited = score, model.state_dict(), 0
        else:
            waited += 1
            if waited >= patience:
                break
    model.load_state_dict(best)
    return best
