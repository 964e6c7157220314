"""Every baseline is deep.

question: p2
caught_by: test_a_baseline_without_deep_learning
"""

for run in results["runs"]:
    run["deep"] = True
