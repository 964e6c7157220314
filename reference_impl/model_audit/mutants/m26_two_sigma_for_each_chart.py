"""Each chart alarms beyond two standard deviations of the day, whatever run length was asked for.

question: q8
caught_by: test_false_alarms
"""

DriftMonitorWithLimit = DriftMonitor


class DriftMonitor(DriftMonitorWithLimit):
    def __init__(self, ref, arl0=100):
        super().__init__(ref, arl0)
        self.w, self.h = 1.0, 2.0
