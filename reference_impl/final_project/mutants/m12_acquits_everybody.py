"""The audit calls every model sound.

question: p4
caught_by: test_guilty_model_is_convicted
"""

for model in audit["models"].values():
    model["verdict"] = "sound"
