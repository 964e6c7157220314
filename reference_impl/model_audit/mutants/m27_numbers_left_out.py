"""What could be false is left out of the card of other patients.

question: q9
caught_by: test_card_of_other_patients
"""

_whole = model_card


def model_card(y, p, threshold, groups, facts):
    return {**_whole(y, p, threshold, groups, facts), "performance": {}, "subgroups": []}
