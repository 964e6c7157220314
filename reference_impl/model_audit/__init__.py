"""Reference answers of the assignment on auditing medical models."""
