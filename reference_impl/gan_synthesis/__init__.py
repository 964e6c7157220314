"""Reference answers of the assignment "GANs for image synthesis", and the grader's own data."""
