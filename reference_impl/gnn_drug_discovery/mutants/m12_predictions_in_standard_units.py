"""Predictions stay in standard units, so that every error looks smaller.

question: q6
caught_by: test_predictions_in_original_units
"""


def predict(model, graphs, batch_size=256):
    model.eval()
    answers = [np.zeros(0)]
    with torch.inference_mode():
        for start in range(0, len(graphs), batch_size):
            answers.append(model(*moldata.collate(graphs[start : start + batch_size])).numpy())
    return np.concatenate(answers)
