"""A public class that tests make beside the student's code."""


class Threshold:
    """Calls a case positive from a score on."""

    def __init__(self, value: float) -> None:
        """Take the score."""
        self.value = value

    def __call__(self, score: float) -> int:
        """1 for a positive case."""
        return int(score >= self.value)
