"""A model with its tokenizer: text in, text out. This is what `cutaway.load` returns."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from cutaway import generate as decoding
from cutaway.config import GPTConfig
from cutaway.errors import GenerationError
from cutaway.generate import Generation, Step, TokenScore
from cutaway.model import GPT
from cutaway.sampling import BeamParams, ContrastiveParams, SamplingParams
from cutaway.tokenizer import AnyTokenizer
from cutaway.weights import DEFAULT_MODEL, ModelSource, load_model, load_tokenizer, save_model

if TYPE_CHECKING:
    from cutaway.inspect import Edit, Trace

Prompt = str | Sequence[int]
"""A text, or token ids."""


class LanguageModel:
    """A GPT and the tokenizer it was trained with."""

    def __init__(self, model: GPT, tokenizer: AnyTokenizer, name: str = "") -> None:
        self.model, self.tokenizer, self.name = model, tokenizer, name

    def __repr__(self) -> str:
        parameters, where = f"{self.model.num_parameters():,} parameters", f"{self.model.dtype} on {self.model.device}"
        return f"LanguageModel({self.name!r}, {parameters}, {where})"

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

    def generate(self, prompt: Prompt, params: SamplingParams | None = None, **changes: Any) -> Generation:
        """Continue a prompt: `gpt.generate("Once upon a time", temperature=0.7, n=3)`.

        Raises: GenerationError for an unknown or impossible parameter, or an unreadable prompt.
        """
        return self.generate_batch([prompt], params, **changes)[0]

    def generate_batch(
        self, prompts: Sequence[Prompt], params: SamplingParams | None = None, **changes: Any
    ) -> list[Generation]:
        """Continue several prompts of any lengths together; each gives what it would give alone."""
        chosen = (params or SamplingParams()).replace(**changes)
        return decoding.generate(self.model, self.tokenizer, [self.ids(prompt) for prompt in prompts], chosen)

    def stream(self, prompt: Prompt, params: SamplingParams | None = None, **changes: Any) -> Iterator[Step]:
        """Continue a prompt and yield each token as it comes; `step.text` is what can be shown."""
        chosen = (params or SamplingParams()).replace(**changes)
        return decoding.stream(self.model, self.tokenizer, [self.ids(prompt)], chosen)

    def beam_search(
        self, prompt: Prompt, beams: BeamParams | int, params: SamplingParams | None = None, **changes: Any
    ) -> Generation:
        """Continue a prompt by beam search and return the `n` best."""
        search = BeamParams(beams=beams) if isinstance(beams, int) else beams
        chosen = (params or SamplingParams()).replace(**changes)
        return decoding.beam_search(self.model, self.tokenizer, self.ids(prompt), chosen, search)

    def contrastive_search(
        self,
        prompt: Prompt,
        contrastive: ContrastiveParams | None = None,
        params: SamplingParams | None = None,
        **changes: Any,
    ) -> Generation:
        """Continue a prompt by contrastive search."""
        chosen = (params or SamplingParams()).replace(**changes)
        search = contrastive or ContrastiveParams()
        return decoding.contrastive_search(self.model, self.tokenizer, self.ids(prompt), chosen, search)

    def score(self, text: Prompt, top: int = 0) -> list[TokenScore]:
        """The log-probability and rank of every token of a text, and the `top` tokens expected after each."""
        return decoding.score(self.model, self.tokenizer, self.ids(text), top)

    def next_tokens(self, text: Prompt, top: int = 10) -> list[TokenScore]:
        """What the model expects after each token of a text: the next-token table."""
        return self.score(text, top)

    def trace(
        self, text: Prompt, names: str | Sequence[str] | None = None, *, dtype: torch.dtype | None = None
    ) -> "Trace":
        """Every activation of a text by name, or those of some names: `gpt.trace("Once upon", "pattern")`.

        Raises: InspectionError for an unknown name or a text longer than the context.
        """
        from cutaway.inspect import trace  # which generating does not need

        return trace(self, text, names, dtype=dtype)

    def edited(self, *edits: "Edit") -> "LanguageModel":
        """The same model with something in it changed whenever it runs: `gpt.edited(ablate_heads(3, 1))`.

        It shares the weights, and generates, scores and is traced like any other; saved, it is the model without edits.

        Raises: InspectionError for an edit at a place that the model does not have.
        """
        from cutaway.inspect import edited

        return LanguageModel(edited(self.model, edits), self.tokenizer, self.name)

    def save(self, folder: Path | str, *, overwrite: bool = False) -> None:
        """Write a folder that this package and `transformers` load."""
        save_model(self.model, folder, tokenizer=self.tokenizer, overwrite=overwrite)


def load(source: ModelSource = DEFAULT_MODEL, *, device: str = "auto", dtype: str = "float32") -> LanguageModel:
    """A model by name, Hub id (`owner/name`, or `owner/name@revision`), folder or file, ready to generate.

    Raises: ModelNotFoundError when there is no such model; CheckpointError when it is damaged or not a GPT-2;
        ConfigError for a device or number format that is not to be had.
    """
    model = load_model(source, device=fastest_device() if device == "auto" else device, dtype=dtype)
    return LanguageModel(model, load_tokenizer(source), name=str(source))


def fastest_device() -> str:
    """The fastest kind of device this machine has: CUDA, then MPS, then the CPU."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
