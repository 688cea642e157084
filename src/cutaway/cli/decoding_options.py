"""The options of `cutaway generate` that decide which token comes next.

Their defaults are those of `SamplingParams`, `BeamParams` and `ContrastiveParams`: an option that is not given stays
None here and is not passed on.
"""

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import Parameter

from cutaway.cli.options import SAMPLING, SEARCH, Count, Flag, Ids, Texts, refuse_together
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from cutaway.sampling import BeamParams, ContrastiveParams, SamplingParams

ESCAPES = {r"\n": "\n", r"\t": "\t", r"\r": "\r", r"\\": "\\"}


@Parameter(name="*", group=SAMPLING)
@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """How each token is chosen, and when to stop."""

    max_tokens: Count | None = None
    """New tokens at most (default 128)."""
    temperature: float | None = None
    """Below 1 is more predictable, above 1 wilder; 0 always takes the most likely token (default 0.8)."""
    top_k: Count | None = None
    """Choose among the k most likely tokens; 0 among all (default 0)."""
    top_p: float | None = None
    """Choose among the likeliest tokens that together reach this probability (default 0.95)."""
    min_p: float | None = None
    """Drop tokens less likely than this fraction of the likeliest (default 0)."""
    typical_p: float | None = None
    """Keep the tokens of most typical surprise, up to this probability (default 1)."""
    repetition_penalty: float | None = None
    """Above 1 makes tokens that have occurred less likely (default 1)."""
    presence_penalty: float | None = None
    """Taken off the logit of every token written so far (default 0)."""
    frequency_penalty: float | None = None
    """Taken off the logit of a token for each time it was written (default 0)."""
    no_repeat_ngram_size: Count | None = None
    """Never repeat a run of this many tokens; 0 allows it (default 0)."""
    logit_bias: Texts = ()
    """ID=VALUE, added to the logit of a token; may be given several times."""
    ban: Ids = ()
    """Id of a token that is never chosen; may be given several times."""
    stop: Texts = ()
    r"""A text that ends a sample, where \n is a new line; may be given several times."""
    stop_token: Ids = ()
    """Id of a token that ends a sample; may be given several times."""
    ignore_eot: Flag = False
    """Go on after <|endoftext|>."""
    past_context: Literal["half", "slide"] | None = None
    """When the context is full, forget its older half, or at every token the oldest, which is slow (default half)."""
    seed: Count | None = None
    """The same seed gives the same text (default: a new one each time)."""
    n: Count | None = None
    """Samples (default 1)."""
    logprobs: Count | None = None
    """Report this many of the likeliest tokens at each step (default 0)."""

    def params(self) -> "SamplingParams":
        """The parameters, with defaults where nothing was given.

        Raises: GenerationError for an impossible value; ConfigError for a bias that cannot be read.
        """
        from cutaway.sampling import SamplingParams  # brings numpy, which help must not wait for

        values = given(self, "logit_bias", "ban", "stop", "stop_token")
        return SamplingParams(
            **values,
            logit_bias=parse_biases(self.logit_bias),
            banned_tokens=self.ban,
            stop=tuple(map(unescape, self.stop)),
            stop_tokens=self.stop_token,
        )


@Parameter(name="*", group=SEARCH)
@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """Search instead of sampling."""

    beams: Count | None = None
    """Beam search: carry this many continuations along; --n of them are returned."""
    length_penalty: float | None = None
    """Above 0 favours long results of beam search, below 0 short ones (default 1)."""
    early_stopping: Literal["yes", "no", "never"] | None = None
    """Stop with enough finished beams (yes), when a better one is unlikely (no), or impossible (never) (default no)."""
    beam_groups: Count | None = None
    """Diverse beam search: this many groups, each kept unlike those before (default 1)."""
    diversity_penalty: float | None = None
    """How strongly a group avoids the tokens of those before (default 0)."""
    contrastive_alpha: float | None = None
    """Contrastive search: weight of novelty against likelihood, from 0 to 1; --top-k candidates (default 4)."""

    def beam_params(self) -> "BeamParams | None":
        """The parameters of beam search, if it was asked for.

        Raises: GenerationError for an impossible value.
        """
        if self.beams is None:
            return None
        from cutaway.sampling import BeamParams

        values = given(self, "contrastive_alpha", "beam_groups", "early_stopping")
        if self.beam_groups is not None:
            values["groups"] = self.beam_groups
        if self.early_stopping is not None:
            values["early_stopping"] = {"yes": True, "no": False, "never": "never"}[self.early_stopping]
        return BeamParams(**values)

    def contrastive_params(self, top_k: Count | None) -> "ContrastiveParams | None":
        """The parameters of contrastive search, if it was asked for.

        Raises: GenerationError for an impossible value.
        """
        if self.contrastive_alpha is None:
            return None
        from cutaway.sampling import ContrastiveParams

        candidates = {} if top_k is None else {"top_k": top_k}
        return ContrastiveParams(alpha=self.contrastive_alpha, **candidates)


BEAM_DETAILS = ("length_penalty", "early_stopping", "beam_groups", "diversity_penalty")
DRAWING = ("temperature", "top_k", "top_p", "min_p", "typical_p", "seed")
EXCLUDED = {
    "beams": ("contrastive_alpha", *DRAWING, "logprobs"),
    "contrastive_alpha": ("beams", *(name for name in DRAWING if name != "top_k"), "n"),
}
"""What has no meaning beside a search: it draws nothing, and contrastive search has one result."""


def refuse_contradictions(sampling: SamplingOptions, search: SearchOptions) -> None:
    """Refuse options of which one would have to be ignored.

    Raises: ConfigError naming both.
    """
    chosen = given(sampling) | given(search)
    for option, others in EXCLUDED.items():
        for other in others:
            if option in chosen and other in chosen:
                refuse_together(flag(option), flag(other))
    for option in BEAM_DETAILS:
        if option in chosen and "beams" not in chosen:
            raise ConfigError(f"{flag(option)} belongs to beam search; give --beams too, or leave it out")


def given(options: SamplingOptions | SearchOptions, *besides: str) -> dict[str, Any]:
    """The options that were given, by name."""
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    return {name: value for name, value in values.items() if value not in (None, ()) and name not in besides}


def flag(name: str) -> str:
    """An option as it is typed."""
    return "--" + name.replace("_", "-")


def unescape(text: str) -> str:
    r"""The text with `\n`, `\t`, `\r` and `\\` replaced by what they stand for."""
    return re.sub(r"\\[ntr\\]", lambda found: ESCAPES[found[0]], text)


def parse_biases(biases: tuple[str, ...]) -> dict[int, float]:
    """Token ids and what is added to their logits, from `ID=VALUE`.

    Raises: ConfigError for anything else, or an id given twice.
    """
    values: dict[int, float] = {}
    for bias in biases:
        token, _, value = bias.partition("=")
        try:
            number = (int(token), float(value))
        except ValueError:
            raise ConfigError(f"--logit-bias {bias!r} is not of the form ID=VALUE, such as 50256=-100") from None
        if number[0] in values:
            raise ConfigError(f"--logit-bias names token {number[0]} twice; give one value for it")
        values[number[0]] = number[1]
    return values
