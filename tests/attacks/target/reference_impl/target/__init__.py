"""Answers of the course that the attack corpus is aimed at."""
