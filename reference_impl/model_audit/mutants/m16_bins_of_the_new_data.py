"""Measurements and scores are watched by a stability index with bins of the new day's own.

question: q8
caught_by: test_covariate_drift
"""

DriftMonitorWithCharts = DriftMonitor


class DriftMonitor(DriftMonitorWithCharts):
    def update(self, x, p, late=None):
        before = self.e[:-1].copy()
        super().update(x, p, late)
        self.e[:-1] = before
        day = np.column_stack([np.asarray(x, float), np.asarray(p, float)])
        index = 0.0
        for values in day.T:
            edges = np.quantile(values, np.linspace(0, 1, 6)[1:-1])
            share = np.bincount(np.searchsorted(edges, values), minlength=5) / len(values)
            index = max(index, ((share - 0.2) * np.log((share + 1e-9) / 0.2)).sum())
        return bool(np.abs(self.e[-1]) > self.h or index > 0.25)
