"""The data card counts other rows than there are.

question: p1
caught_by: test_card_tells_the_truth
"""

data_card["rows"] += 100
