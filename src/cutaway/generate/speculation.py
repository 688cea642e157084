"""What a caller may ask of reading ahead, and what came of it."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cutaway.anatomy import num_parameters
from cutaway.generate.reading import Network
from cutaway.native import NativeModel
from cutaway.sampling.params import check_count

Wish: TypeAlias = Literal["auto", "lookup", "none"]
"""Whether to guess by looking up what was said before; `auto` leaves it to the network."""

WORTH_GUESSING_FOR = 30_000_000
"""Parameters from which on `auto` guesses, on the native kernels, which give the same bits. A smaller network is read
about as quickly as Python looks up a guess, which then costs some percent of the time where it is of no use."""


@dataclass
class Tally:
    """How many tokens were read ahead, and how many of them were then said."""

    guessed: int = 0
    right: int = 0


@dataclass(frozen=True, kw_only=True)
class Speculation:
    """Guess what will be said next and read it along, where that promises to be quicker.

    A guess counts only where it is the very token that the sample then chooses, with its own random number, from the
    logits that the model gives there; so the text, and not only its distribution, is what it would be without. The
    native kernels give the same bits. PyTorch rounds in float32 a little differently when it reads several tokens at
    once, which changes a drawn token in some thousands, as it does between batches of different sizes.

    Raises: GenerationError when a value is out of range.
    """

    draft: "Network | None" = None
    """A smaller network with the same vocabulary, which guesses; without one, the text itself is looked up."""
    most: int = 8
    """Guesses read at once, at most."""
    longest_match: int = 3
    """Looking up, the end of a text is compared by so many tokens at most."""
    adaptive: bool = True
    """Read guesses only where that is quicker; False always reads `most`, for experiments."""
    tally: Tally = field(default_factory=Tally, compare=False)
    """Counts what came of it, over all texts."""

    def __post_init__(self) -> None:
        check_count("most", self.most, 1, 64)
        check_count("longest_match", self.longest_match, 1, 64)


def lookup_for(network: Network, wish: Wish = "auto") -> Speculation | None:
    """Guesses by looking up what was said before, if they are wished for, or may be worth it and change no bit."""
    large = num_parameters(network.config) >= WORTH_GUESSING_FOR
    worth = wish == "auto" and large and isinstance(network, NativeModel)
    return Speculation() if worth or wish == "lookup" else None
