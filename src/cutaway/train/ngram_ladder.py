"""What counting gets one: n-gram models of growing order on the same text, and what they write."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cutaway.data import TokenFolder
from cutaway.data.tokens import Tokens
from cutaway.errors import TrainingError
from cutaway.generate.completion import Step
from cutaway.generate.sample import Sample
from cutaway.sampling import SamplingParams, fresh_seed
from cutaway.tokenizer import AnyTokenizer
from cutaway.train.batches import TRAIN, VALIDATION
from cutaway.train.evaluate import Evaluation, token_bytes
from cutaway.train.ngram import Ints, NGramModel
from cutaway.train.ngram_counts import STRETCH, Watch, count_ngrams


@dataclass(frozen=True, kw_only=True)
class Rung:
    """The model of one order."""

    order: int
    n_ngrams: int
    """Different n-grams of that length in the training text."""
    loss: float
    """On the validation text, in nats per token."""
    bits_per_byte: float


def climb(folder: TokenFolder, tokenizer: AnyTokenizer, order: int, watch: Watch) -> tuple[NGramModel, list[Rung]]:
    """Count the training part of prepared data, and see how the model of each order does on the validation part.

    Raises: DataError when a part is missing or damaged; TrainingError when the text is too short or too long.
    """
    held_out = folder.tokens(VALIDATION)
    model = count_ngrams(folder.tokens(TRAIN), tokenizer.n_vocab, order, watch)
    sizes = token_bytes(tokenizer).numpy()
    rungs = []
    for length, level in enumerate(model.levels, start=1):
        found = evaluate_ngrams(model.of_order(length), held_out, sizes)
        rung = Rung(order=length, n_ngrams=len(level.keys), loss=found.loss, bits_per_byte=found.bits_per_byte)
        rungs.append(rung)
    return model, rungs


def evaluate_ngrams(model: NGramModel, tokens: Tokens, sizes: Ints, stretch: int = STRETCH) -> Evaluation:
    """Loss and bits per byte of a text, of which every token but the very first is predicted, as by `evaluate`.

    Shapes: sizes (V,)

    Raises: TrainingError when there is nothing to predict.
    """
    nats, size = 0.0, 0
    for start in range(1, len(tokens), stretch):
        stop = min(start + stretch, len(tokens))
        first = max(0, start - model.order)
        read = tokens.read(first, stop)
        nats -= float(model.logprobs(read)[start - first :].sum())
        size += int(sizes[read[start - first :]].sum())
    if not size:
        raise TrainingError(f"{len(tokens):,} tokens hold no text to predict; give a longer held-out text")
    return Evaluation(loss=nats / (len(tokens) - 1), bits_per_byte=nats / math.log(2) / size)


def write_on(model: NGramModel, tokenizer: AnyTokenizer, ids: Sequence[int], params: SamplingParams) -> Iterator[Step]:
    """Continue some tokens, by the same rules as any other model."""
    seed = fresh_seed() if params.seed is None else params.seed
    for number in range(params.n):
        sample = Sample(ids, params, tokenizer, seed=seed, sample=number)
        while sample.finish_reason is None:
            yield sample.step(np.log(model.probabilities([*ids, *sample.generated])))
