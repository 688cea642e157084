"""The options of `cutaway generate` that decide how fast it goes, and nothing else."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cyclopts import Group, Parameter

from cutaway.cli.options import refuse_together
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from cutaway.cli.writing import Decoding
    from cutaway.generate import Speculation
    from cutaway.text_generator import TextGenerator

SPEED = Group("Speed", sort_key=3)


@Parameter(name="*", group=SPEED)
@dataclass(frozen=True, kw_only=True)
class SpeculationOptions:
    """Guessing what comes next, to read it along; the text does not depend on it."""

    speculate: Literal["auto", "lookup", "none"] | None = None
    """Guess by looking up what was said before, not at all, or only for one text of a large model (default auto)."""
    draft: str | None = None
    """A smaller model with the same vocabulary that guesses, or the model itself, which then guesses at 4 bits."""

    def refuse_contradictions(self, decoding: "Decoding") -> None:
        """Refuse options of which one would have to be ignored.

        Raises: ConfigError naming both.
        """
        if self.draft is not None and self.speculate is not None:
            refuse_together("--draft", "--speculate")
        asked = "--draft" if self.draft is not None else "--speculate"
        if decoding.searches and (self.draft is not None or self.speculate == "lookup"):
            refuse_together("--beams" if decoding.beams is not None else "--contrastive-alpha", asked)

    def speculation(self, gpt: "TextGenerator", decoding: "Decoding") -> "Speculation | None":
        """What was asked for, with its draft loaded; None for reading token by token.

        Raises: ConfigError for a draft with another vocabulary; what loading a model raises.
        """
        from cutaway.generate import Speculation
        from cutaway.generate.speculation import lookup_for

        if self.draft is not None:
            return Speculation(draft=load_draft(self.draft, gpt).model, most=4)
        if self.speculate == "lookup":
            return Speculation()
        alone = decoding.params.n == 1 and not decoding.searches
        return lookup_for(gpt.model, self.speculate or "auto") if alone else None


def load_draft(source: str, gpt: "TextGenerator") -> "TextGenerator":
    """A model to guess for another: by the native kernels at 8 bits, or at 4 if it is the same; else in PyTorch.

    Raises: ConfigError for another vocabulary, or the same model without native kernels; what loading a model raises.
    """
    from cutaway.language_model import load_generator
    from cutaway.text_generator import TextGenerator
    from cutaway.weights import load_tokenizer
    from cutaway.weights.native import load_native, suits_native

    tokenizer, same = load_tokenizer(source), source == gpt.name
    if tokenizer != gpt.tokenizer:
        raise ConfigError(f"{source} has another vocabulary than {gpt.name}; a draft needs the same")
    if suits_native(source):
        return TextGenerator(load_native(source, precision="int4" if same else "int8"), tokenizer, source)
    if same:
        raise ConfigError(f"{source} can guess for itself only by the native kernels; take a smaller model as a draft")
    return load_generator(source)
