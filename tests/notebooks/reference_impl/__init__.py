"""Answers of the fixtures."""
