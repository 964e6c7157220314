"""A threshold that no probability reaches.

question: q3
caught_by: test_threshold
"""

threshold = 1.5
