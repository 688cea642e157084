"""What the engine asks of a network: read these tokens into those slots. PyTorch is loaded only for its own."""

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from cutaway.engine.native_runner import NativeRunner
from cutaway.generate import Network
from cutaway.native import NativeModel


class Runner(Protocol):
    """A network with slots for keys and values. Slot i holds the tokens read into it, the first at position 0."""

    slots: int
    """How many there are."""
    context: int
    """How many tokens one holds at most."""
    vocab_size: int

    def read(self, slots: Sequence[int], tokens: Sequence[Sequence[int]], answers: Sequence[int]) -> NDArray[Any]:
        """Add tokens to slots, each named once, and return the logits after the last `answers[i]` of each.

        A read that raises has changed no slot.

        Shapes: -> (sum of answers, V), slot after slot
        """
        ...

    def copy(self, source: int, target: int, tokens: int) -> None:
        """Make a slot hold the first so many tokens of another, and nothing else."""
        ...

    def truncate(self, slot: int, tokens: int) -> None:
        """Forget all but the first so many tokens of a slot."""
        ...


def runner_of(model: Network, slots: int) -> Runner:
    """The runner that suits a network, with so many slots."""
    if isinstance(model, NativeModel):
        return NativeRunner(model, slots)
    from cutaway.engine.torch_runner import TorchRunner  # brings torch, which is here by now

    return TorchRunner(model, slots)
