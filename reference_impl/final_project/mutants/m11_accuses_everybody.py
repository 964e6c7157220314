"""The audit calls every model flawed.

question: p4
caught_by: test_innocent_model_is_acquitted
"""

for model in audit["models"].values():
    model["verdict"] = "flawed"
