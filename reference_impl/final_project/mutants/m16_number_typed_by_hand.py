"""A number in the report was typed, and is another one.

question: p6
caught_by: test_numbers_are_traceable
"""

row = "ridge regression, five descriptors | "
report = report.replace(f"{row}0.", f"{row}1.")
