"""Which documents are for training and which for validation: decided by their text, so the same on every machine.

A document of many pieces goes where its first piece belongs. Equal documents land on the same side.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cutaway.data.fragments import Fragment
from cutaway.data.pieces import Piece

SplitName: TypeAlias = Literal["train", "validation"]

SPLITS: tuple[SplitName, ...] = ("train", "validation")
DIGEST_BYTES = 16
RANGE = 1 << 64


@dataclass(frozen=True, kw_only=True)
class Split:
    """The rule of a corpus."""

    seed: int
    below: int
    """Documents whose number, from 0 to 2^64, is lower are for validation."""
    cut: int | None = None
    """For a corpus of a single document: the character from which on its text is for validation."""

    def of(self, digest: bytes, number: int) -> SplitName:
        """The side of the `number`-th document of a file, whose first piece has this digest."""
        if self.cut is not None:
            return SPLITS[number > 0]
        return "validation" if number_of(digest) < self.below else "train"

    def digest(self, text: bytes) -> bytes:
        """What stands for a piece of text: 16 bytes that look random and depend on the seed."""
        key = self.seed.to_bytes(8, "little")
        return hashlib.blake2b(text, digest_size=DIGEST_BYTES, key=key).digest()


def number_of(digest: bytes) -> int:
    """A digest as a number from 0 up to, but not including, 2^64."""
    return int.from_bytes(digest[:8], "little")


def share_split(share: float, seed: int) -> Split:
    """The rule that sends about that share of the documents to validation."""
    return Split(seed=seed, below=int(share * RANGE))


def fitted_split(pieces: Iterable[Piece], share: float, seed: int) -> Split:
    """The rule for a small corpus, which is read first so that neither side comes out empty without need.

    A single document is divided: its end is for validation. Of several, at least one is for validation.
    """
    split, lowest, documents, characters = share_split(share, seed), RANGE, 0, 0
    for piece in pieces:
        characters += len(piece.text)
        if piece.begins:
            documents += 1
            lowest = min(lowest, number_of(split.digest(piece.text.encode())))
        if documents > 1 and lowest < split.below:
            return split  # both sides have something as it is
    if documents == 1:
        return Split(seed=seed, below=0, cut=int(characters * (1 - share)))
    return Split(seed=seed, below=max(split.below, lowest + 1)) if documents else split


def end_document_at(fragments: Iterable[Fragment], cut: int) -> Iterator[Fragment]:
    """The fragments with an end of document after `cut` characters."""
    left = cut
    for text, ends in fragments:
        if 0 < left <= len(text):
            yield text[:left], True
            yield text[left:], ends
        else:
            yield text, ends
        left -= len(text)
