"""What is timed of a model: loading, the first token, reading a prompt, writing, batches, and a training step."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cutaway.config import GPTConfig
from cutaway.generate.reading import Network, reader_of
from cutaway.model import GPT
from cutaway.native import PRECISIONS as NATIVE
from cutaway.native import NativeModel
from cutaway.sampling import SamplingParams
from cutaway.speed.timing import Contestant
from cutaway.weights.load import load_model
from cutaway.weights.locate import ModelSource
from cutaway.weights.native import load_native

PROMPTS = (64, 512)
BATCHES = (1, 4, 16)
FIRST = 16
"""Tokens of the prompt before the first new token is there."""
WRITTEN = 16
"""Tokens that each row writes in one timed run."""
TRAINED_ROWS, TRAINED_TOKENS = 4, 256

TORCH = "torch"
PRECISIONS = (*NATIVE, TORCH)
"""The native kernels at each precision, and the PyTorch model in float32."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model as it computes at one precision."""

    precision: str
    network: Network
    weight_bytes: int | None
    """What memory grew by when it was loaded; None where the system does not tell."""


def load(source: ModelSource, precision: str) -> Network:
    """The network at a precision.

    Raises: ConfigError when there are no native kernels here.
    """
    return load_model(source) if precision == TORCH else load_native(source, precision=precision)


def loading(source: ModelSource, precision: str) -> Contestant:
    """From files to a network that can be asked."""

    def run() -> None:
        network = load(source, precision)
        if isinstance(network, NativeModel):
            network.close()

    return Contestant(name=f"{precision}: load", unit="ms", run=run)


def prompts(context: int) -> list[int]:
    """Lengths of prompts; what does not fit the context is left out, and its own length taken."""
    fitting = [length for length in PROMPTS if length <= context]
    return fitting if len(fitting) == len(PROMPTS) else [*fitting, context]


def inference(loaded: Loaded, batches: Sequence[int] = BATCHES) -> Iterator[Contestant]:
    """Everything that a model does when it is asked."""
    config, precision = loaded.network.config, loaded.precision
    first = ids(config, min(FIRST, config.block_size))
    yield Contestant(name=f"{precision}: first token", unit="ms", run=reading(loaded.network, [first]))
    for length in dict.fromkeys(prompts(config.block_size)):
        read = reading(loaded.network, [ids(config, length)])
        yield Contestant(name=f"{precision}: prefill {length}", unit="tokens/s", run=read, work=length)
    written = min(WRITTEN, config.block_size - len(first))
    for batch in batches if written else ():
        rows = [ids(config, len(first), seed=row) for row in range(batch)]
        run = Writing(loaded.network, rows, written)
        name = f"{precision}: decode {batch}"
        yield Contestant(name=name, unit="tokens/s", run=run, work=batch * written, prepare=run.prepare)


def reading(network: Network, rows: Sequence[Sequence[int]]) -> Callable[[], int]:
    """Read prompts from nothing and choose what comes next."""
    return lambda: int(reader_of(network, SamplingParams(max_tokens=1)).prefill(rows)[0].argmax())


class Writing:
    """Rows that go on writing after prompts, which are read anew before each run."""

    def __init__(self, network: Network, rows: Sequence[Sequence[int]], tokens: int) -> None:
        self.network, self.rows, self.tokens = network, rows, tokens
        self.prepare()

    def prepare(self) -> None:
        """Read the prompts."""
        self._reader = reader_of(self.network, SamplingParams(max_tokens=self.tokens))
        self._reader.prefill(self.rows)

    def __call__(self) -> None:
        """Write; which tokens makes no difference, so choosing them is left out."""
        for token in range(self.tokens):
            self._reader.decode([token % self.network.config.vocab_size] * len(self.rows))


def training(config: GPTConfig) -> Contestant:
    """A step of training: forward, backward and AdamW, with a model of this shape and fresh weights."""
    model = GPT(config.replace(dropout=0.0))
    optimizer = torch.optim.AdamW(model.parameters())
    length = min(TRAINED_TOKENS, config.block_size)
    rows = torch.tensor([ids(config, length, seed=row) for row in range(TRAINED_ROWS)])

    def run() -> Any:
        optimizer.zero_grad()
        _, loss = model(rows, rows.roll(-1, dims=1))
        assert loss is not None, "targets were given"
        loss.backward()
        optimizer.step()
        return loss.item()

    return Contestant(name="torch: training step", unit="tokens/s", run=run, work=TRAINED_ROWS * length)


def ids(config: GPTConfig, length: int, seed: int = 0) -> list[int]:
    """Random ids: speed does not depend on which."""
    return [int(token) for token in np.random.default_rng(seed).integers(config.vocab_size, size=length)]
