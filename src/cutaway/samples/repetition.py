"""How much texts repeat: each itself, and all of them together."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

Text: TypeAlias = Sequence[int]
Gram: TypeAlias = tuple[int, ...]


def ngrams(tokens: Text, n: int) -> Iterator[Gram]:
    """Every run of n tokens, in order."""
    return zip(*(tokens[i:] for i in range(n)), strict=False)


def repeated(texts: Sequence[Text], n: int) -> float | None:
    """rep-n: the share of a text's n-grams that occurred in it before, the mean over texts; 0 repeats nothing.

    None where no text has n tokens.

    Source: Welleck et al. 2019, "Neural Text Generation with Unlikelihood Training", section 4.2 (seq-rep-n).
    """
    shares = [1 - len(set(ngrams(text, n))) / (len(text) - n + 1) for text in texts if len(text) >= n]
    return sum(shares) / len(shares) if shares else None


def distinct(texts: Sequence[Text], n: int) -> float | None:
    """distinct-n: different n-grams of all texts, as a share of all their n-grams; 1 repeats nothing.

    It falls with the amount of text, so compare only equal amounts. None where no text has n tokens.

    Source: Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models", section 5.
    """
    total = sum(max(0, len(text) - n + 1) for text in texts)
    return len({gram for text in texts for gram in ngrams(text, n)}) / total if total else None
