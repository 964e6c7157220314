"""Answers of the fixture `sound`."""
