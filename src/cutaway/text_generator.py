"""A network, in PyTorch or in native hands, with its tokenizer: text in, text out."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from cutaway import generate as decoding
from cutaway.config import GPTConfig
from cutaway.errors import GenerationError
from cutaway.generate import Generation, Network, Speculation, Step
from cutaway.native import NativeModel
from cutaway.sampling import SamplingParams
from cutaway.tokenizer import AnyTokenizer

if TYPE_CHECKING:
    from cutaway.engine import Engine

Prompt: TypeAlias = str | Sequence[int]
"""A text, or token ids."""

TOGETHER = 32
"""Samples that native kernels write at the same time; more take turns, and memory does not grow with their number."""

STEP_TOKENS = 512
"""Prompt tokens that are read at once meanwhile; nobody waits for a single token."""


class TextGenerator:
    """A network that writes, and the tokenizer it was trained with."""

    def __init__(self, model: Network, tokenizer: AnyTokenizer, name: str = "") -> None:
        self.model, self.tokenizer, self.name = model, tokenizer, name

    def __repr__(self) -> str:
        return f"TextGenerator({self.name!r}, {self.model!r})"

    @property
    def config(self) -> GPTConfig:
        """The model's shape."""
        return self.model.config

    def ids(self, prompt: Prompt) -> list[int]:
        """The token ids of a prompt; an empty one becomes `<|endoftext|>`, which begins every document.

        Raises: GenerationError for an empty prompt where the vocabulary has no `<|endoftext|>`.
        """
        ids = self.tokenizer.encode(prompt) if isinstance(prompt, str) else list(prompt)
        if ids:
            return ids
        if self.tokenizer.eot is None:
            raise GenerationError(
                "the prompt is empty and this vocabulary has no <|endoftext|> to start from; give a prompt"
            )
        return [self.tokenizer.eot]

    def generate(
        self,
        prompt: Prompt,
        params: SamplingParams | None = None,
        speculation: Speculation | None = None,
        **changes: Any,
    ) -> Generation:
        """Continue a prompt: `gpt.generate("Once upon a time", temperature=0.7, n=3)`.

        With `speculation=Speculation()` it may be quicker, and says the same.

        Raises: GenerationError for an unknown or impossible parameter, or an unreadable prompt.
        """
        return self.generate_batch([prompt], params, speculation, **changes)[0]

    def generate_batch(
        self,
        prompts: Sequence[Prompt],
        params: SamplingParams | None = None,
        speculation: Speculation | None = None,
        **changes: Any,
    ) -> list[Generation]:
        """Continue several prompts of any lengths together; each gives what it would give alone.

        In native hands any number will do: what is too much at once takes turns.
        """
        chosen = (params or SamplingParams()).replace(**changes)
        ids = [self.ids(prompt) for prompt in prompts]
        if speculation is None and self._takes_turns(len(ids) * chosen.n):
            return self._engine().generate(ids, chosen)
        return decoding.generate(self.model, self.tokenizer, ids, chosen, speculation)

    def stream(
        self,
        prompt: Prompt,
        params: SamplingParams | None = None,
        speculation: Speculation | None = None,
        **changes: Any,
    ) -> Iterator[Step]:
        """Continue a prompt and yield each token as it comes; `step.text` is what can be shown."""
        chosen, ids = (params or SamplingParams()).replace(**changes), self.ids(prompt)
        if speculation is None and self._takes_turns(chosen.n):
            return self._engine().stream(ids, chosen)
        return decoding.stream(self.model, self.tokenizer, [ids], chosen, speculation)

    def _takes_turns(self, samples: int) -> bool:
        """Whether an engine writes so many samples; not in PyTorch, which rounds differently in other company."""
        return isinstance(self.model, NativeModel) and samples > TOGETHER

    def _engine(self) -> "Engine":
        from cutaway.engine import Engine, EngineLimits  # which a single text does not need

        return Engine.over(self.model, self.tokenizer, EngineLimits(max_running=TOGETHER, step_tokens=STEP_TOKENS))
