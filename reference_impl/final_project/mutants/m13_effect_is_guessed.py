"""The size of the flaw is a guess.

question: p4
caught_by: test_effect_is_measured
"""

for model in audit["models"].values():
    model["effect"] = model["effect"] and 1.0
