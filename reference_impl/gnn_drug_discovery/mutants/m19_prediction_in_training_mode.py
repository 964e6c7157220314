"""The model is asked in training mode: batch norm uses the batch at hand.

question: q6
caught_by: test_predictions_ignore_company
"""


def predict(model, graphs, batch_size=256):
    model.train()
    answers = [np.zeros(0)]
    with torch.no_grad():
        for start in range(0, len(graphs), batch_size):
            standard = model(*moldata.collate(graphs[start : start + batch_size]))
            answers.append(
                float(model.target_mean) + float(model.target_std) * standard.double().numpy()
            )
    return np.concatenate(answers)
