"""What the thresholds of this assignment rest on, for ``autograder calibrate model_audit``.

A run draws what the hidden tests draw, and measures what they measure of the reference's functions.
Honest recipes are other ways that the questions permit, as members of the panel go; weak ones are
mutants.
"""

import sys

from reference_impl.cnn_imaging import dermsim

sys.modules.setdefault("dermsim", dermsim)  # as it is published

from reference_impl.model_audit.card_trials import CARD_TRIALS  # noqa: E402
from reference_impl.model_audit.image_trials import IMAGE_TRIALS  # noqa: E402
from reference_impl.model_audit.interval_trials import INTERVAL_TRIALS  # noqa: E402
from reference_impl.model_audit.table_trials import TABLE_TRIALS  # noqa: E402

__all__ = ["TRIALS"]

TRIALS = (*TABLE_TRIALS, *INTERVAL_TRIALS, *CARD_TRIALS, *IMAGE_TRIALS)
