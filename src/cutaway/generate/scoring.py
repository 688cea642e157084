"""What a model thinks of a text that is already there: each token's probability, and what it expected instead."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from cutaway.generate.reader import check_ids
from cutaway.model import GPT
from cutaway.sampling import log_softmax, most_likely_logprobs
from cutaway.sampling.processors import Array
from cutaway.tokenizer import AnyTokenizer

LOGIT_ROWS = 64
"""Positions whose logits are computed together."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A token the model might have expected."""

    token: int
    piece: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class TokenScore:
    """One token of a text, as the model saw it."""

    position: int
    token: int
    piece: str
    logprob: float | None
    """Natural log-probability given everything before; None for the first token, which follows nothing."""
    rank: int | None
    """How many tokens the model found likelier, plus one."""
    predictions: tuple[Prediction, ...]
    """What the model expects after this token, the likeliest first."""

    @property
    def surprise_bits(self) -> float | None:
        """How surprising the token was, in bits."""
        return None if self.logprob is None else -self.logprob / math.log(2)

    def to_dict(self) -> dict[str, Any]:
        """The score, ready for JSON."""
        return asdict(self) | {"surprise_bits": self.surprise_bits}


@torch.inference_mode()
def score(model: GPT, tokenizer: AnyTokenizer, ids: Sequence[int], top: int = 0) -> list[TokenScore]:
    """Every token's log-probability and rank, and the `top` tokens expected after it.

    A text longer than the context is read in windows that overlap by half, each token scored once, with at least
    half a context before it.

    Raises: GenerationError for an empty text or an id outside the vocabulary.
    """
    check_ids([ids], model.config.vocab_size)
    scores: list[TokenScore] = []
    before: Array | None = None
    for position, logits in enumerate(logits_along(model, ids)):
        token = ids[position]
        scores.append(
            TokenScore(
                position=position,
                token=token,
                piece=tokenizer.piece(token),
                logprob=None if before is None else float(log_softmax(before)[token]),
                rank=None if before is None else int((before > before[token]).sum()) + 1,
                predictions=expected(logits, tokenizer, top),
            )
        )
        before = logits
    return scores


def expected(logits: Array, tokenizer: AnyTokenizer, top: int) -> tuple[Prediction, ...]:
    """The `top` likeliest tokens.

    Shapes: (V,)
    """
    best = most_likely_logprobs(logits[: tokenizer.n_vocab], top) if top else {}
    return tuple(
        Prediction(token=token, piece=tokenizer.piece(token), probability=math.exp(logprob))
        for token, logprob in best.items()
    )


def logits_along(model: GPT, ids: Sequence[int]) -> Iterator[Array]:
    """The logits after each token of a text of any length.

    Shapes: -> len(ids) times a numpy array (V,), in float32 at least
    """
    for start, first, end in windows(len(ids), model.config.block_size):
        states = model.hidden(torch.tensor([ids[start:end]], device=model.device))[0]
        # All positions at once would be a gigabyte of logits for a long text; one at a time reads the head each time.
        for part in torch.split(states[first - start :], LOGIT_ROWS):
            logits = model.lm_head(part)
            yield from (logits if logits.dtype == torch.float64 else logits.float()).numpy(force=True)


def windows(length: int, block_size: int) -> Iterator[tuple[int, int, int]]:
    """(start, first new, end) of the windows that cover a text: the first is full, each later one advances by half."""
    stride = max(1, block_size // 2)
    end = min(length, block_size)
    yield 0, 0, end
    while end < length:
        first, end = end, min(length, end + stride)
        yield end - block_size, first, end
