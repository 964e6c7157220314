"""A number in the report was typed, and is another one.

question: p6
caught_by: test_numbers_are_traceable
"""

report = report.replace("ridge regression, five descriptors | 0.", "ridge regression, five descriptors | 1.")
