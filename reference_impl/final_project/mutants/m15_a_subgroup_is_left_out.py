"""The subgroup with the larger error is not on the card.

question: p5
caught_by: test_card_shows_subgroups
"""

model_card["subgroups"] = [one for one in model_card["subgroups"] if one["name"] != "ring"]
