"""Sealed, fast grading of deep-learning homework.

The flow, and the public names in its order::

    from autograder.build import build
    from autograder.intake import intake
    from autograder.engine import grade
    from autograder.report import report
    from autograder.canvas.export import changes, write

Importing this package imports nothing else, so that the command answers at once.
"""
