"""Reference answers of the assignment "Auditing medical models", and the grader's own data."""
