"""A model in PyTorch with its tokenizer: to write, search, score, look inside and change. `cutaway.load` returns it.

PyTorch is imported by the functions that need it, so that `load_generator` can do without.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cutaway import generate as decoding
from cutaway import weights
from cutaway.generate import Generation
from cutaway.native import PRECISIONS
from cutaway.sampling import BeamParams, ContrastiveParams, SamplingParams
from cutaway.text_generator import Prompt, TextGenerator
from cutaway.tokenizer import AnyTokenizer
from cutaway.weights.locate import DEFAULT_MODEL, ModelSource
from cutaway.weights.native import load_native, suits_native

if TYPE_CHECKING:
    import torch

    from cutaway.generate import TokenScore
    from cutaway.inspect import Edit, Trace
    from cutaway.model import GPT

SIGNS_OF_A_GPU = (
    "/dev/nvidiactl",  # NVIDIA's driver
    "/dev/nvmap",  # NVIDIA's Tegra
    "/dev/kfd",  # AMD's driver
    "/dev/dxg",  # either, under WSL
    "C:/Windows/System32/nvcuda.dll",
)
"""Files of the drivers of GPUs that PyTorch computes on."""


class LanguageModel(TextGenerator):
    """A GPT and the tokenizer it was trained with."""

    model: "GPT"

    def __init__(self, model: "GPT", tokenizer: AnyTokenizer, name: str = "") -> None:
        super().__init__(model, tokenizer, name)

    def __repr__(self) -> str:
        parameters, where = f"{self.model.num_parameters():,} parameters", f"{self.model.dtype} on {self.model.device}"
        return f"LanguageModel({self.name!r}, {parameters}, {where})"

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

    def score(self, text: Prompt, top: int = 0) -> "list[TokenScore]":
        """The log-probability and rank of every token of a text, and the `top` tokens expected after each."""
        return decoding.score(self.model, self.tokenizer, self.ids(text), top)

    def next_tokens(self, text: Prompt, top: int = 10) -> "list[TokenScore]":
        """What the model expects after each token of a text: the next-token table."""
        return self.score(text, top)

    def trace(
        self, text: Prompt, names: str | Sequence[str] | None = None, *, dtype: "torch.dtype | None" = None
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
        weights.save_model(self.model, folder, tokenizer=self.tokenizer, overwrite=overwrite)


def load(source: ModelSource = DEFAULT_MODEL, *, device: str = "auto", dtype: str = "float32") -> LanguageModel:
    """A model by name, Hub id (`owner/name`, or `owner/name@revision`), folder or file, ready for everything.

    Raises: ModelNotFoundError when there is no such model; CheckpointError when it is damaged or not a GPT-2;
        ConfigError for a device or number format that is not to be had.
    """
    model = weights.load_model(source, device=fastest_device() if device == "auto" else device, dtype=dtype)
    return LanguageModel(model, weights.load_tokenizer(source), name=str(source))


def load_generator(
    source: ModelSource = DEFAULT_MODEL, *, device: str = "auto", dtype: str = "float32", threads: int | None = None
) -> TextGenerator:
    """The same model, ready to write and no more: on a CPU by the native kernels, without PyTorch.

    It is there seconds sooner and decodes faster. Kernels take float32, bfloat16, int8, int4 and w8a8, to which weights
    are rounded while loading; what `cutaway quantize` made is mapped as it is, and its precision is its own, which
    float32 here leaves alone. In float32, logits are PyTorch's but for rounding, which changes a drawn token in some
    thousands, as it does in PyTorch between batches of different sizes; here no batch changes a bit.
    They use all cores that this process may run on, or so many `threads`.
    On a GPU, in another number format, or where kernels are missing or do not suit the checkpoint, it is what `load`
    returns.

    Raises: what `load` raises; ConfigError for int8, int4 or w8a8 where there are no kernels for them.
    """
    if dtype in PRECISIONS and is_cpu(device) and suits_native(source):
        model = load_native(source, precision=None if dtype == "float32" else dtype, threads=threads)
        return TextGenerator(model, weights.load_tokenizer(source), name=str(source))
    return load(source, device=device, dtype=dtype)


def is_cpu(device: str) -> bool:
    """Whether that device, or for `auto` the fastest, is the CPU; PyTorch is asked only if there may be a GPU."""
    return device == "cpu" or (device == "auto" and (not may_have_gpu() or fastest_device() == "cpu"))


def may_have_gpu() -> bool:
    """Whether there are signs of a GPU that PyTorch computes on; what it says itself takes seconds to hear."""
    return sys.platform == "darwin" or any(Path(sign).exists() for sign in SIGNS_OF_A_GPU)


def fastest_device() -> str:
    """The fastest kind of device this machine has: CUDA, then MPS, then the CPU."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
