"""The numbers of the card are those of the training patients.

question: q9
caught_by: test_card_first_point, test_card_fourth_point
"""

card = model_card(
    train.y,
    lab.sigmoid(train.meta["logit"]),
    THRESHOLD,
    pd.DataFrame({"race": train.meta["race"]}),
    facts,
)
