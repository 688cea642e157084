"""What generation asks of a network: read these tokens, and say what comes next. PyTorch is loaded only for its own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from numpy.typing import NDArray

from cutaway.native import NativeModel, NativeReader

if TYPE_CHECKING:
    from cutaway.model import GPT

Network: TypeAlias = "GPT | NativeModel"
"""A GPT-2 in PyTorch or in native hands."""


class Reads(Protocol):
    """A network in the middle of a batch of texts: prompts are read at once, then one token each at a time."""

    def prefill(self, prompts: Sequence[Sequence[int]]) -> NDArray[Any]:
        """Read the prompts, however unequal, and return the logits after each.

        Shapes: -> (B, V)

        Raises: GenerationError for an empty prompt or an id outside the vocabulary.
        """
        ...

    def decode(self, tokens: Sequence[int]) -> NDArray[Any]:
        """Read one more token for each row and return the logits after it.

        Shapes: -> (B, V)
        """
        ...

    def select(self, rows: Sequence[int]) -> None:
        """Make row i a copy of the old row `rows[i]`: repeat for samples, drop the finished."""
        ...


def reader_of(model: Network, new_tokens: int) -> Reads:
    """The reader that suits a network, for texts that will grow by that many tokens at most."""
    if isinstance(model, NativeModel):
        return NativeReader(model, new_tokens)
    from cutaway.generate.array_reader import ArrayReader  # brings torch, which is here by now

    return ArrayReader(model, new_tokens)
