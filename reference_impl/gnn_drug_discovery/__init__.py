"""Reference answers of the assignment "GNNs in drug discovery", and the grader's own data."""
