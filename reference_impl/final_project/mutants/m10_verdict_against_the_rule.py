"""The comparison is called a success against the rule.

question: p3
caught_by: test_comparison_recomputed, test_comparison_decides
"""

results["comparison"]["verdict"] = "success"
