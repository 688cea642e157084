"""Guesses from the text itself: what followed the last time that the same tokens were said.

Source: Saxena 2023, "Prompt Lookup Decoding".
"""

from collections.abc import MutableMapping, Sequence
from weakref import WeakKeyDictionary

from cutaway.generate.sample import Sample


class Repeats:
    """A text that grows, and where each short run of its tokens occurred last."""

    def __init__(self, longest: int) -> None:
        self.tokens: list[int] = []
        self._next: list[dict[tuple[int, ...], int]] = [{} for _ in range(longest)]
        """For runs of 1, 2, … tokens: the index of the token after the latest of them."""

    def push(self, token: int) -> None:
        """Add a token: only now do the runs that ended before it have one that follows."""
        end = len(self.tokens)
        for length, following in enumerate(self._next[:end], start=1):
            following[tuple(self.tokens[end - length :])] = end
        self.tokens.append(token)

    def longest_match(self) -> tuple[int, int]:
        """How many tokens at the end have occurred before, and where they went on; (0, 0) if not even the last has."""
        for length in range(min(len(self._next), len(self.tokens)), 0, -1):
            at = self._next[length - 1].get(tuple(self.tokens[-length:]))
            if at is not None:
                return length, at
        return 0, 0

    def copied_from(self, at: int, count: int) -> list[int]:
        """The tokens from an index on; behind the end of the text they go on with themselves."""
        copied = self.tokens[at : at + count]
        while len(copied) < count:
            copied.append(copied[at + len(copied) - len(self.tokens)])
        return copied


class Lookup:
    """Guesses what each sample says next by looking it up in its own prompt and text, the longest match first."""

    watch_every = 1

    def __init__(self, longest: int) -> None:
        self.longest = longest
        # A sample that has gone takes its text along.
        self._texts: MutableMapping[Sample, Repeats] = WeakKeyDictionary()
        self._found: MutableMapping[Sample, int] = WeakKeyDictionary()
        """Where each text goes on as it did before."""

    def kind(self, sample: Sample) -> int:
        """How many tokens at the end have occurred before: the more, the better the guess."""
        length, self._found[sample] = self._text(sample).longest_match()
        return length

    def guess(self, samples: Sequence[Sample], count: int) -> list[list[int]]:
        """The next `count` tokens of each sample, all of whose kinds have just been asked for and are not 0."""
        return [self._texts[sample].copied_from(self._found[sample], count) for sample in samples]

    def _text(self, sample: Sample) -> Repeats:
        """The text of a sample up to its newest token."""
        text = self._texts.get(sample)
        if text is None:
            text = self._texts[sample] = Repeats(self.longest)
            for token in sample.prompt_ids:
                text.push(token)
        for token in sample.generated[len(text.tokens) - len(sample.prompt_ids) :]:
            text.push(token)
        return text
