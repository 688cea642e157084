"""Guesses from a smaller, quicker network with the same vocabulary.

Source: Leviathan et al. 2022, "Fast Inference from Transformers via Speculative Decoding"; but here the draft draws
with the very number with which the sample will draw, and a guess is right when both draws give one token.
"""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from cutaway.errors import GenerationError
from cutaway.generate.reading import Network, reader_of
from cutaway.generate.sample import Sample


class Draft:
    """Guesses what each sample says next by running a network ahead of it.

    Raises: GenerationError when the network's vocabulary is smaller than the samples'.
    """

    watch_every = 64

    def __init__(self, model: Network, samples: Sequence[Sample]) -> None:
        known, needed = model.config.vocab_size, samples[0].n_vocab
        if known < needed:
            raise GenerationError(
                f"a draft with a vocabulary of {known:,} cannot guess among {needed:,} tokens; "
                "take a model with the same tokenizer"
            )
        self.samples = list(samples)
        self._read: dict[Sample, list[int]] = {sample: [] for sample in samples}
        """What the draft has read behind each prompt, guesses included."""
        prompts = {sample.prompt: sample.prompt_ids for sample in samples}
        self._reader = reader_of(model, samples[0].params)
        self._reader.prefill(list(prompts.values()))
        self._reader.select([list(prompts).index(sample.prompt) for sample in samples])

    def kind(self, sample: Sample) -> int:
        """All guesses of a draft are of one kind."""
        return 1

    def guess(self, samples: Sequence[Sample], count: int) -> list[list[int]]:
        """The next `count` tokens of each sample."""
        guesses: list[list[int]] = [[] for _ in samples]
        new = [self._unread(sample) for sample in samples]
        for _ in range(count):
            for sample, guess, logits in zip(samples, guesses, self._extend(samples, new), strict=True):
                guess.append(sample.foresee(logits, guess))
            new = [guess[-1:] for guess in guesses]
        return guesses

    def _unread(self, sample: Sample) -> list[int]:
        """What the draft has yet to read of a sample, once it has forgotten what was guessed wrongly."""
        read, said = self._read[sample], sample.generated
        # The newest token is read again, if need be, for the logits after it.
        right = min(agreeing(read, said), len(said) - 1)
        if right < len(read):
            self._reader.forget(self.samples.index(sample), len(read) - right)
            del read[right:]
        return said[right:]

    def _extend(self, samples: Sequence[Sample], new: Sequence[list[int]]) -> list[NDArray[Any]]:
        """The logits after the last of the new tokens of each sample.

        Shapes: -> (V,) for each
        """
        for sample, tokens in zip(samples, new, strict=True):
            self._read[sample] += tokens
        rows = [self.samples.index(sample) for sample in samples]
        return [logits[0] for logits in self._reader.extend(rows, new, last_only=True)]


def agreeing(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two texts have in common from the beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
