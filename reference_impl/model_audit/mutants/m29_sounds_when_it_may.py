"""The monitor sounds on the day that keeps the run length, whatever it has seen.

question: q8
caught_by: test_false_alarms, test_covariate_drift, test_label_drift, test_concept_drift
"""

DriftMonitorThatLooks = DriftMonitor


class DriftMonitor(DriftMonitorThatLooks):
    def __init__(self, ref, arl0=100):
        super().__init__(ref, arl0)
        self.when = int(0.8 * arl0)

    def update(self, x, p, late=None):
        super().update(x, p, late)
        return bool(self.today > self.when)
