"""Some rows are in no part.

question: p1
caught_by: test_every_row_once
"""

for name in [name for name in split if split[name] == "val"][:5]:
    del split[name]
