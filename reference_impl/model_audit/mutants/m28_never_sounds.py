"""The monitor never sounds, and so has no false alarms; outcomes are kept as they should be.

question: q8
caught_by: test_false_alarms, test_covariate_drift, test_label_drift, test_concept_drift
"""

DriftMonitorThatSounds = DriftMonitor


class DriftMonitor(DriftMonitorThatSounds):
    def update(self, x, p, late=None):
        super().update(x, p, late)
        return False
