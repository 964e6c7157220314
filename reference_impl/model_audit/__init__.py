"""Reference answers of the assignment on auditing medical models, and the grader's own data."""
