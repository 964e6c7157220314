"""Reference metrics."""


def is_probability(value: float) -> bool:
    """Whether ``value`` is a probability."""
    return isinstance(value, float) and not value < 0.0 and not value > 1.0
