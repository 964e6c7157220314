"""Canvas' limit on requests: a leaky bucket for each token (``request_throttle.rb``)."""

from __future__ import annotations

from dataclasses import dataclass

HIGH_WATER_MARK = 600.0
MAXIMUM = 800.0
OUTFLOW = 10.0
"""Units a second."""
CHARGE = 50.0
"""What a request costs while it runs; almost all of it is given back."""
COST = 1.0


@dataclass
class Bucket:
    """How much one token has asked of late."""

    level: float = 0.0
    seen: float = 0.0
    cost: float = COST

    @property
    def remaining(self) -> float:
        """What Canvas says is left."""
        return max(0.0, HIGH_WATER_MARK - self.level)

    def take(self, now: float) -> bool:
        """Pay for one request at ``now``, seconds; whether it may run."""
        if self.seen:
            self.level = max(0.0, self.level - OUTFLOW * (now - self.seen))
        self.seen = now
        if self.level + CHARGE > HIGH_WATER_MARK:
            return False
        self.level = min(MAXIMUM, self.level + self.cost)
        return True
