"""The text that a network reads while it is fitted or measured: files, or what the network writes by itself.

A language model's own writing, drawn without any cut, is text of the kind that it expects, and there is always some. It
needs no corpus and depends on the seed alone.

Source: Liu et al. 2023, "LLM-QAT", section 3.1, where a network is trained on what it wrote itself.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cutaway.errors import ConfigError
from cutaway.generate import Network, generate
from cutaway.sampling import SamplingParams
from cutaway.tokenizer import AnyTokenizer

TOKENS = 32_768
"""Enough for the products of 3,072 inputs to be known; more changes little."""

SAMPLES = 16
"""Texts that are written together."""


def written(network: Network, tokenizer: AnyTokenizer, tokens: int = TOKENS, seed: int = 0) -> Tensor:
    """Texts as long as the context that the network writes itself, that many tokens together.

    Shapes: -> (B, T)
    """
    length = network.config.block_size
    texts = max(1, tokens // length)
    rows: list[list[int]] = []
    for first in range(0, texts, SAMPLES):
        start, samples = _start(tokenizer, seed + first), min(SAMPLES, texts - first)
        rows += _continued(network, tokenizer, start, length - 1, samples, seed + first) if length > 1 else [start]
    return torch.tensor(rows)


def _start(tokenizer: AnyTokenizer, seed: int) -> list[int]:
    """What a text begins with: the end of another, or where there is no such token, any."""
    if tokenizer.eot is not None:
        return [tokenizer.eot]
    return [int(np.random.default_rng(seed).integers(tokenizer.n_vocab))]


def _continued(
    network: Network, tokenizer: AnyTokenizer, start: list[int], tokens: int, samples: int, seed: int
) -> list[list[int]]:
    params = SamplingParams(n=samples, temperature=1, top_k=0, top_p=1, max_tokens=tokens, ignore_eot=True, seed=seed)
    (made,) = generate(network, tokenizer, [start], params)
    return [[*start, *sample.tokens] for sample in made.samples]


def read(files: Sequence[Path], tokenizer: AnyTokenizer, length: int, tokens: int = TOKENS) -> Tensor:
    """Pieces of some files as long as the context, evenly spread over them, that many tokens together.

    Shapes: -> (B, T)

    Raises: ConfigError when a file cannot be read, or all together are shorter than the context.
    """
    ids = [token for text in _texts(files) for token in tokenizer.encode(text)]
    pieces = len(ids) // length
    if not pieces:
        raise ConfigError(f"{len(ids):,} tokens do not fill a context of {length:,}; give more text")
    wanted = min(pieces, max(1, tokens // length))
    starts = [number * pieces // wanted * length for number in range(wanted)]
    return torch.tensor([ids[start : start + length] for start in starts])


def _texts(files: Sequence[Path]) -> Iterator[str]:
    for file in files:
        try:
            yield file.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{file} cannot be read: {error.strerror}; give another file") from None
        except UnicodeDecodeError as error:
            raise ConfigError(f"{file} is not UTF-8 text (byte {error.start:,}); convert it first") from None
