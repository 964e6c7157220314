"""Reference answers of the assignment "CNNs in medical imaging", and the grader's own data."""
