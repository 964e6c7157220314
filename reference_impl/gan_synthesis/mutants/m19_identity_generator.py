"""The generator was trained to hand on its source.

question: q7
caught_by: test_unseen_heads, test_unseen_heads_in_full, test_hard_region
"""

generator = train_translator((train.X[:16], train.X[:16]), (val.X[:2], val.X[:2]), max_seconds=20.0)
