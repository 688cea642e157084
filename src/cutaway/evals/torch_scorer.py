"""Scoring by the model in PyTorch: on a GPU, in any number format, or where there are no native kernels."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cutaway.evals.passage import Passage, Scored, check_lengths
from cutaway.generate.reader import check_ids
from cutaway.model import GPT

TOKENS_AT_ONCE = 4096
"""Tokens of one batch, padding included."""

ROWS_AT_ONCE = 256
"""Positions whose logits are computed together."""


class TorchScorer:
    """A `Scorer` over the plain forward: passages of like length together, padded on the right."""

    def __init__(self, model: GPT) -> None:
        self.model = model

    @property
    def context(self) -> int:
        """How many tokens it can read."""
        return self.model.config.block_size

    @torch.inference_mode()
    def score(self, passages: Sequence[Passage]) -> list[Scored]:
        """Score passages of any lengths together.

        Raises: GenerationError for an id outside the vocabulary; EvaluationError for a passage over the context.
        """
        if not passages:
            return []
        check_lengths(passages, self.context)
        check_ids([passage.tokens for passage in passages], self.model.config.vocab_size)
        found: dict[int, Scored] = {}
        for batch in batches(passages):
            found |= zip(batch, self._score([passages[index] for index in batch]), strict=True)
        return [found[index] for index in range(len(passages))]

    def _score(self, passages: Sequence[Passage]) -> Iterator[Scored]:
        longest = max(len(passage.tokens) for passage in passages) - 1
        # Causality hides the padding.
        rows = [[*passage.tokens[:-1], *[0] * (longest + 1 - len(passage.tokens))] for passage in passages]
        states = self.model.hidden(torch.tensor(rows, device=self.model.device))
        kept = torch.cat([states[i, passage.first - 1 : len(passage.tokens) - 1] for i, passage in enumerate(passages)])
        targets = torch.tensor(
            [token for passage in passages for token in passage.tokens[passage.first :]], device=self.model.device
        )
        logprobs, likeliest = self._at(kept, targets)
        ends = np.cumsum([passage.n_scored for passage in passages])
        parts = zip(passages, ends, np.split(logprobs, ends[:-1]), np.split(likeliest, ends[:-1]), strict=True)
        for passage, end, values, flags in parts:
            greedy = but = bool(flags.all())
            if passage.ignored:
                but = bool(flags[1:].all()) and self._first_but(kept[end - passage.n_scored], passage)
            yield Scored(logprobs=values, greedy=greedy, greedy_but=but)

    def _first_but(self, state: Tensor, passage: Passage) -> bool:
        """Whether the first scored token was the likeliest but for ignored ones."""
        logits, target = self.model.lm_head(state), passage.tokens[passage.first]
        rivals = (logits > logits[target]).nonzero()[:, 0].tolist()
        return target not in passage.ignored and passage.ignored.issuperset(rivals)

    def _at(self, states: Tensor, targets: Tensor) -> tuple[NDArray[Any], NDArray[Any]]:
        """The log-probability of a token after each state, and whether it is the likeliest.

        Shapes: (N, C), (N,) -> (N,), (N,)
        """
        logprobs, likeliest = [], []
        for some, tokens in zip(torch.split(states, ROWS_AT_ONCE), torch.split(targets, ROWS_AT_ONCE), strict=True):
            logits = self.model.lm_head(some)
            logits = logits if logits.dtype == torch.float64 else logits.float()
            picked = logits.log_softmax(dim=-1).gather(1, tokens[:, None])[:, 0]
            logprobs.append(picked.double())
            likeliest.append(logits.argmax(dim=-1) == tokens)
        return torch.cat(logprobs).numpy(force=True), torch.cat(likeliest).numpy(force=True)


def batches(passages: Sequence[Passage]) -> Iterator[list[int]]:
    """Indices of passages of like length, the longest first, as many together as a batch holds with its padding."""
    batch: list[int] = []
    for index in sorted(range(len(passages)), key=lambda i: len(passages[i].tokens), reverse=True):
        if batch and (len(batch) + 1) * len(passages[batch[0]].tokens) > TOKENS_AT_ONCE:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
