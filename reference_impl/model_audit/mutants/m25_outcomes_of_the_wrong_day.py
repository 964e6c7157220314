"""Outcomes that become known are compared with the scores of today's patients.

question: q8
caught_by: test_outcomes_belong_to_their_day
"""

DriftMonitorByDay = DriftMonitor


class DriftMonitor(DriftMonitorByDay):
    def update(self, x, p, late=None):
        if late is not None and late[0] in self.waiting:
            self.waiting[late[0]] = np.asarray(p, float)
        return super().update(x, p, late)
