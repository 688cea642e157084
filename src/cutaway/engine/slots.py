"""Places for keys and values: who has one, what it holds, and what a newcomer can take over from the others."""

from dataclasses import dataclass, field

from cutaway.engine.prefix import shared_prefix
from cutaway.engine.runner import Runner


@dataclass(eq=False)
class Slot:
    """One place, and the tokens that have been read into it, from position 0 on."""

    index: int
    tokens: list[int] = field(default_factory=list)
    promised: int = 0
    """How many tokens its sample may come to hold; 0 when it has none."""
    last_used: int = 0

    @property
    def held(self) -> int:
        """How many tokens it counts for: those promised, or those kept from a sample that has gone."""
        return self.promised or len(self.tokens)


class Slots:
    """All places of a runner.

    Keys and values depend on the tokens up to their own position and nothing else, so a text that begins like what any
    slot holds, running or finished, takes that beginning over instead of reading it. Finished texts are kept until
    their place or their share of `max_tokens` is needed, the least recently used going first.
    """

    def __init__(self, runner: Runner, count: int, max_tokens: int) -> None:
        self._runner, self.max_tokens = runner, max_tokens
        self._slots = [Slot(index) for index in range(count)]
        self._uses = 0
        self.tokens_reused = 0

    @property
    def held_tokens(self) -> int:
        """Tokens kept, and tokens promised to running samples."""
        return sum(slot.held for slot in self._slots)

    def claim(self, window: list[int], room: int, *, reuse: bool = True) -> Slot | None:
        """A place for a text that begins with `window` and may grow to `room` tokens; None while there is none.

        With `reuse` it already holds what could be taken over: never all, for the last token's logits are wanted.
        """
        free = [slot for slot in self._slots if not slot.promised]
        if not free or sum(slot.promised for slot in self._slots) + room > self.max_tokens:
            return None
        oldest = min(free, key=lambda slot: (bool(slot.tokens), slot.last_used))
        source, shared = self._most_alike(window[:-1]) if reuse else (oldest, 0)
        # Where a finished text would have to go anyway, or goes on as a whole, its place is taken over as it is.
        whole = not source.promised and shared == len(source.tokens) > 0
        target = source if whole else oldest
        self._fill(target, source, shared)
        target.promised = room
        self._touch(target)
        self._make_room()
        self.tokens_reused += shared
        return target

    def fork(self, source: Slot, target: Slot) -> None:
        """Make a slot hold what another does."""
        self.tokens_reused += len(source.tokens)
        self._fill(target, source, len(source.tokens))

    def keep(self, slot: Slot, window: list[int]) -> None:
        """Of what a slot holds, keep what a window that has moved still begins with."""
        self._fill(slot, slot, shared_prefix(slot.tokens, window[:-1]))

    def cut(self, slot: Slot, tokens: int) -> None:
        """Keep the first so many tokens that a slot holds."""
        self._fill(slot, slot, tokens)

    def release(self, slot: Slot) -> None:
        """Give a place back; what it holds is kept until somebody needs it more."""
        slot.promised = 0
        self._touch(slot)
        self._make_room()

    def _most_alike(self, window: list[int]) -> tuple[Slot, int]:
        """The slot that begins most like a text, and how many tokens of it."""
        shared = {slot.index: shared_prefix(slot.tokens, window) for slot in self._slots}
        best = max(self._slots, key=lambda slot: (shared[slot.index], not slot.promised))
        return best, shared[best.index]

    def _fill(self, target: Slot, source: Slot, tokens: int) -> None:
        if target is not source and tokens:
            self._runner.copy(source.index, target.index, tokens)
        elif tokens < len(target.tokens):
            self._runner.truncate(target.index, tokens)
        target.tokens = source.tokens[:tokens]

    def _touch(self, slot: Slot) -> None:
        self._uses += 1
        slot.last_used = self._uses

    def _make_room(self) -> None:
        """Forget finished texts, the least recently used first, until what is held is within the limit."""
        kept = [slot for slot in self._slots if slot.tokens and not slot.promised]
        excess = self.held_tokens - self.max_tokens
        for slot in sorted(kept, key=lambda slot: slot.last_used):
            if excess <= 0:
                return
            excess -= len(slot.tokens)
            self._fill(slot, slot, 0)
