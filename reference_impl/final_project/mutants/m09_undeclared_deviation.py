"""The split rule is another one than registered, and nobody says so.

question: p3
caught_by: test_kept_to_the_registration
"""

results["split_rule"] = "Rows are dealt at random, whatever their scaffold."
