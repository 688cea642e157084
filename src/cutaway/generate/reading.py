"""What generation asks of a network: read these tokens, and say what comes next. PyTorch is loaded only for its own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from numpy.typing import NDArray

from cutaway.native import NativeModel, NativeReader
from cutaway.sampling import SamplingParams

if TYPE_CHECKING:
    from cutaway.model import GPT

Network: TypeAlias = "GPT | NativeModel"
"""A GPT-2 in PyTorch or in native hands."""


class Decodes(Protocol):
    """Somebody in the middle of a batch of texts, who reads one more token of each at a time."""

    def decode(self, tokens: Sequence[int]) -> NDArray[Any]:
        """Read one more token for each row and return the logits after it.

        Shapes: -> (B, V)
        """
        ...

    def select(self, rows: Sequence[int]) -> None:
        """Make row i a copy of the old row `rows[i]`: repeat for samples, drop the finished."""
        ...


class Reads(Decodes, Protocol):
    """A network that reads: prompts at once, then one token of each at a time, or several of some, on trial."""

    def prefill(self, prompts: Sequence[Sequence[int]]) -> NDArray[Any]:
        """Read the prompts, however unequal, and return the logits after each.

        Shapes: -> (B, V)

        Raises: GenerationError for an empty prompt or an id outside the vocabulary.
        """
        ...

    def extend(
        self, rows: Sequence[int], tokens: Sequence[Sequence[int]], *, last_only: bool = False
    ) -> list[NDArray[Any]]:
        """Read further tokens of some rows, and return the logits after each of them, or after the last alone.

        Shapes: -> (T, V) for each of the rows, or (1, V)
        """
        ...

    def room(self, rows: Sequence[int]) -> list[int]:
        """How many tokens each of some rows can be extended by before its window moves, or moves again."""
        ...

    def forget(self, row: int, count: int) -> None:
        """Take the last tokens of a row back."""
        ...


def reader_of(model: Network, params: SamplingParams) -> Reads:
    """The reader that suits a network, for texts that grow as these parameters say."""
    if isinstance(model, NativeModel):
        return NativeReader(model, params.max_tokens, params.past_context)
    from cutaway.generate.array_reader import ArrayReader  # brings torch, which is here by now

    return ArrayReader(model, params.max_tokens, params.past_context)
