def sensitivity(labels, predictions):
    """Share of the positives that were found."""
    # BEGIN SOLUTION
    found = sum(1 for label, guess in zip(labels, predictions) if label == 1 and guess == 1)
    return found / max(1, sum(labels))
    # END SOLUTION