"""Long documents in pieces that encode to the same ids as the whole would.

GPT-2 merges bytes within a word only, and no word goes from a letter, number or symbol on into whitespace. So a text
may be cut before any whitespace that follows something else. Where a text has no whitespace for a long stretch it is
cut all the same, and a token at the cut may come out as two.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cutaway.data.fragments import Fragment

MAX_PIECE = 1 << 20
"""Characters; most documents are a single piece."""
SEARCHED = 1 << 16
BLANKS = " \n\t\r"


class Piece(NamedTuple):
    """Some text of a document, never empty."""

    text: str
    begins: bool
    """Whether it is the document's first piece."""
    ends: bool
    """Whether it is the document's last piece."""


def cut_pieces(fragments: Iterable[Fragment], most: int = MAX_PIECE) -> Iterator[Piece]:
    """The documents in pieces of at most `most` characters; documents without text are left out."""
    held, begins = "", True
    for fragment, ends in fragments:
        held, start = held + fragment, 0
        while len(held) - start > most:
            cut = cut_place(held, start, start + most)
            yield Piece(held[start:cut], begins, ends=False)
            start, begins = cut, False
        held = held[start:]
        if ends:
            if held:
                yield Piece(held, begins, ends=True)
            held, begins = "", True


def cut_place(text: str, start: int, limit: int) -> int:
    """The last place up to `limit` where cutting changes no token, or `limit` itself when none is near."""
    for place in range(limit, max(start, limit - SEARCHED), -1):
        if text[place] in BLANKS and not text[place - 1].isspace():
            return place
    return limit
