"""How many guesses are worth reading: what reading costs on this machine, and how guesses have fared of late."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from math import inf, prod

LEARNING_RATE = 0.1
"""Weight of the newest guess in the rate at which its kind comes true."""

FIRST_RATE = 0.25
"""What is believed of a kind of guess before any was seen."""

SAMPLES = 9
"""Readings of one size whose median is believed."""

LIFETIME = 256
"""Readings after which the cost of a size not read since is forgotten: texts grow, and machines get busy."""

NEGLIGIBLE = 0.01
"""A guess less likely than this to come true is not considered."""

LEAST_GAIN = 1.1
"""Guesses that promise less than this are not worth the trouble."""

TRIED = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""How many guesses are considered together for rows that go on each by itself."""


class Pace:
    """Decides how many guesses to read along, and learns from what came of it.

    Sizes not yet measured are taken to cost no more than smaller ones, so each is tried once; after that, guesses are
    read only where they pay. It never sees tokens, so it can change when something is read, but not what is said.
    """

    def __init__(self, most: int, *, adaptive: bool = True) -> None:
        self.most, self.adaptive = most, adaptive
        self._readings = 0
        self._costs: dict[int, Cost] = {}
        self._guesses: deque[float] = deque(maxlen=SAMPLES)
        self._rates = {0: 0.0}

    def saw(self, kind: int, right: bool) -> None:
        """Learn whether a guess of some kind came true."""
        rate = self.rate(kind)
        self._rates[kind] = rate + LEARNING_RATE * (right - rate)

    def read(self, tokens: int, seconds: float) -> None:
        """Learn how long it took to read so many tokens at once."""
        self._readings += 1
        if tokens not in self._costs:
            self._costs[tokens] = Cost()
        self._costs[tokens].learn(seconds, self._readings)
        if self._readings % LIFETIME == 0:
            self._costs = {size: cost for size, cost in self._costs.items() if self._readings - cost.learnt < LIFETIME}

    def guessed(self, tokens: int, seconds: float) -> None:
        """Learn how long it took to guess so many tokens."""
        self._guesses.append(seconds / tokens)

    def rate(self, kind: int) -> float:
        """How often guesses of a kind came true of late, from 0 to 1; 0 for none at all."""
        return self._rates.get(kind, FIRST_RATE)

    def cost_s(self, tokens: int) -> float:
        """Seconds to read so many tokens at once; 0 before anything was measured.

        As much as the next smaller size that was measured. Reading fewer never costs more than reading more, which
        mends what an interruption spoilt.
        """
        smaller = larger = inf
        for size, cost in self._costs.items():
            if size >= tokens:
                larger = min(larger, cost.seconds)
            if size <= tokens:
                smaller = cost.seconds if smaller == inf else max(smaller, cost.seconds)
        return min(smaller, larger) if self._costs else 0.0

    def hopeful(self, kinds: Sequence[int]) -> bool:
        """Whether guesses of these kinds come true so often that they would pay if reading them cost nothing."""
        rate = self._rate_of_all(kinds)
        return not self.adaptive or 1 > (1 - rate) * LEAST_GAIN

    def count(self, kinds: Sequence[int], limits: Sequence[int]) -> int:
        """How many guesses are best read for each of some rows, which may take no more than their limits.

        Rows go on in step: it pays when none of them has to read.
        """
        most, rows, alone = min(self.most, *limits), len(kinds), self.cost_s(len(kinds))
        if not self.adaptive:
            return most
        if not alone:
            return 0
        rate = true = self._rate_of_all(kinds)
        # Now and then a guess takes longer because its draft has to catch up; the quickest tells the cost of going on.
        guess_s = rows * min(self._guesses, default=0.0)
        best, best_speed, steps = 0, LEAST_GAIN / alone, 1.0
        for count in range(1, most + 1):
            steps += true
            speed = steps / (self.cost_s(rows * (1 + count)) + count * guess_s)
            if speed > best_speed:
                best, best_speed = count, speed
            true *= rate
            if true < NEGLIGIBLE:
                break
        return best

    def shares(self, kinds: Sequence[int], limits: Sequence[int], tokens: int) -> list[int]:
        """How many guesses are best read for each of some rows that go on each by itself, at most so many in all.

        The guesses that are likeliest to come true go first.
        """
        if not self.adaptive:
            counts = [min(self.most, limit) if kind else 0 for kind, limit in zip(kinds, limits, strict=True)]
            return counts if sum(counts) <= tokens else [0] * len(kinds)
        rows, alone = len(kinds), self.cost_s(len(kinds))
        if not alone:
            return [0] * rows
        chances = sorted(self._chances(kinds, limits), reverse=True)[:tokens]
        best, best_speed = 0, rows * LEAST_GAIN / alone
        for count in (count for count in TRIED if count <= len(chances)):
            speed = (rows + sum(chance for chance, _ in chances[:count])) / self.cost_s(rows + count)
            if speed > best_speed:
                best, best_speed = count, speed
        chosen = Counter(row for _, row in chances[:best])
        return [chosen[row] for row in range(rows)]

    def _chances(self, kinds: Sequence[int], limits: Sequence[int]) -> Iterator[tuple[float, int]]:
        """How likely each guess comes true together with those before it, and whose it is."""
        for row, (kind, limit) in enumerate(zip(kinds, limits, strict=True)):
            rate = chance = self.rate(kind)
            for _ in range(min(self.most, limit)):
                if chance < NEGLIGIBLE:
                    break
                yield chance, row
                chance *= rate

    def _rate_of_all(self, kinds: Sequence[int]) -> float:
        return prod(self.rate(kind) for kind in kinds)


class Cost:
    """What something takes: the median of its latest measurements."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.learnt = 0
        """When it was last measured, by the number of readings."""
        self._latest: deque[float] = deque(maxlen=SAMPLES)

    def learn(self, seconds: float, now: int) -> None:
        """Add a measurement."""
        self._latest.append(seconds)
        self.seconds, self.learnt = sorted(self._latest)[len(self._latest) // 2], now
