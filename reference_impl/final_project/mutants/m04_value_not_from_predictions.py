"""A run's value is better than its predictions.

question: p2
caught_by: test_numbers_recomputed
"""

next(run for run in results["runs"] if run["run"] == "net-0")["value"] -= 0.05
