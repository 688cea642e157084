"""Texts as they are written: token by token, or several at once."""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutaway.cli import terminal
from cutaway.cli.table import Column, print_table
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from cutaway.generate import Completion, Generation, Speculation
    from cutaway.sampling import BeamParams, ContrastiveParams, SamplingParams
    from cutaway.text_generator import TextGenerator


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How a text is decoded: by drawing, or by one of the searches."""

    params: "SamplingParams"
    beams: "BeamParams | None" = None
    contrastive: "ContrastiveParams | None" = None

    @property
    def searches(self) -> bool:
        """Whether several ways to go on are compared, which takes a model in PyTorch."""
        return self.beams is not None or self.contrastive is not None

    @property
    def streams(self) -> bool:
        """Whether the text can be shown while it is being written."""
        return not (self.searches or self.params.n > 1 or self.params.logprobs)

    @property
    def draws(self) -> bool:
        """Whether chance decides, so that a seed matters."""
        return not (self.searches or self.params.greedy)


class Writer:
    """A model that writes to the terminal."""

    def __init__(
        self,
        gpt: "TextGenerator",
        decoding: Decoding,
        speculation: "Speculation | None" = None,
        *,
        special: bool = False,
        verbose: bool = False,
    ) -> None:
        self.gpt, self.decoding, self.speculation = gpt, decoding, speculation
        self.special, self.verbose = special, verbose
        check_tokens(decoding.params, gpt.config.vocab_size)

    def write(self, prompt: str) -> None:
        """Show the prompt and its continuations."""
        if self.decoding.streams:
            terminal.write(terminal.dim(terminal.harmless(prompt)))
            self.stream(prompt)
        else:
            self._show(prompt, self.generation(prompt))

    def stream(self, prompt: str) -> None:
        """Show a continuation as it comes, and end the line."""
        params = self._begin()
        started, arrivals = time.perf_counter(), []
        try:
            for step in self.gpt.stream(self.ids(prompt), params, self.speculation):
                arrivals.append(time.perf_counter() - started)
                terminal.write(terminal.harmless(step.text))
        finally:
            # Also after Ctrl-C: what was written stays, and ends its line.
            terminal.write("\n")
        self._report(params, len(arrivals), arrivals[-1], arrivals[0])

    def generation(self, prompt: str) -> "Generation":
        """The finished samples."""
        params, started = self._begin(), time.perf_counter()
        made = self._decode(self.ids(prompt), params)
        self._report(params, sum(len(sample.tokens) for sample in made.samples), time.perf_counter() - started)
        return made

    def ids(self, prompt: str) -> list[int]:
        """The prompt's token ids."""
        return self.gpt.ids(self.gpt.tokenizer.encode(prompt, allowed_special="all") if self.special else prompt)

    def _decode(self, ids: Sequence[int], params: "SamplingParams") -> "Generation":
        if not self.decoding.searches:
            return self.gpt.generate(ids, params, self.speculation)
        from cutaway.language_model import LanguageModel

        assert isinstance(self.gpt, LanguageModel), "the command loads what its decoding takes"
        if self.decoding.beams:
            return self.gpt.beam_search(ids, self.decoding.beams, params)
        return self.gpt.contrastive_search(ids, self.decoding.contrastive, params)

    def _begin(self) -> "SamplingParams":
        """The parameters with a seed; guesses are counted from here on."""
        from cutaway.generate import Tally
        from cutaway.sampling import fresh_seed

        if self.speculation is not None:
            self.speculation = dataclasses.replace(self.speculation, tally=Tally())
        params = self.decoding.params
        return params if params.seed is not None else params.replace(seed=fresh_seed())

    def _show(self, prompt: str, made: "Generation") -> None:
        several = len(made.samples) > 1
        for number, sample in enumerate(made.samples, start=1):
            if several:
                print(terminal.dim(f"--- {number} of {len(made.samples)} ---"))
            print(terminal.dim(terminal.harmless(prompt)) + terminal.harmless(sample.text))
            if self.decoding.params.logprobs:
                self._show_logprobs(sample)

    def _show_logprobs(self, sample: "Completion") -> None:
        piece = self.gpt.tokenizer.piece
        columns = [Column("token"), Column("logprob", right=True), Column("likeliest")]
        rows = [
            (piece(token), f"{logprob:.3f}", "  ".join(f"{piece(other)} {value:.3f}" for other, value in top.items()))
            for token, logprob, top in zip(sample.tokens, sample.logprobs, sample.top_logprobs, strict=True)
        ]
        print_table(columns, rows)

    def _report(self, params: "SamplingParams", tokens: int, elapsed_s: float, ttft_s: float | None = None) -> None:
        if not self.verbose:
            return
        first = "" if ttft_s is None else f", first after {1000 * ttft_s:.0f} ms"
        seed = f", seed {params.seed}" if self.decoding.draws else ""
        tally = self.speculation.tally if self.speculation else None
        guesses = f", {tally.right} of {tally.guessed} guesses right" if tally and tally.guessed else ""
        tokens_per_s = tokens / max(elapsed_s, 1e-9)
        terminal.notice(f"{tokens} tokens in {elapsed_s:.2f} s ({tokens_per_s:.1f} tokens/s){first}{guesses}{seed}")


def check_tokens(params: "SamplingParams", vocab_size: int) -> None:
    """Refuse ids that the model does not have, before anything is written.

    Raises: ConfigError naming the id.
    """
    for token in (*params.logit_bias, *params.banned_tokens, *params.stop_tokens):
        if token >= vocab_size:
            raise ConfigError(f"token id {token:,} is out of range; this model's ids go from 0 to {vocab_size - 1:,}")
