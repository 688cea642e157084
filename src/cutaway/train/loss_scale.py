"""By how much the loss is multiplied on the way back, so that float16 can hold the gradients."""

GROWTH_INTERVAL = 2000
LARGEST = 2.0**24


class LossScale:
    """As large as can be: halved whenever a gradient overflows, doubled after a long time without.

    Source: Micikevicius et al. 2018, "Mixed Precision Training", section 3.2.
    """

    def __init__(self, precision: str) -> None:
        self.adapts = precision == "float16"
        self.value = 2.0**16 if self.adapts else 1.0
        self.good_steps = 0.0

    def overflowed(self) -> None:
        """Make room."""
        self.value, self.good_steps = max(self.value / 2, 1.0), 0.0

    def held(self) -> None:
        """Count a step without an overflow."""
        if not self.adapts:
            return
        self.good_steps += 1
        if self.good_steps == GROWTH_INTERVAL:
            self.value, self.good_steps = min(2 * self.value, LARGEST), 0.0
