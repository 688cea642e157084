"""Which part of a text is read once it has outgrown the context.

A network with learned positions reads at most `block_size` tokens, the first of them at position 0. When its window
moves on over a text, every token's position changes, so all that is left of the window must be read afresh.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

PastContext: TypeAlias = Literal["half", "slide"]
"""`half`: a full window forgets its older half, and goes on until it is full again. `slide`: it forgets its oldest
token, at every token."""

PAST_CONTEXT: tuple[str, ...] = get_args(PastContext)


@dataclass(frozen=True, kw_only=True)
class Window:
    """The tokens of a text from which the next one is predicted.

    Where it begins depends on the number of tokens alone: not on how they came, nor on what else is in the batch.
    """

    block_size: int
    past_context: PastContext = "half"

    @property
    def step(self) -> int:
        """How many tokens a full window forgets at once."""
        return 1 if self.past_context == "slide" else max(1, self.block_size // 2)

    def start(self, tokens: int) -> int:
        """The index of the first token that is still read, in a text of so many."""
        too_many = max(0, tokens - self.block_size)
        return -(-too_many // self.step) * self.step

    def end(self, tokens: int) -> int:
        """How many tokens the text can have with its window where it is now."""
        return self.start(tokens) + self.block_size
