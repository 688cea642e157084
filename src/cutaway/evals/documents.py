"""The documents of text files as tokens, in pieces, so that a file may be of any length."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, count

from cutaway.data.fragments import FileReader
from cutaway.data.pieces import Piece, cut_pieces
from cutaway.data.source_file import SourceFile
from cutaway.tokenizer import AnyTokenizer


@dataclass(kw_only=True)
class Extent:
    """How large a document is; complete once all its pieces have been read."""

    name: str
    words: int = 0
    """Stretches between white space, of the text as it stands in the file."""
    tokens: int = 0
    """All of them, the first included."""
    whole: bool = False
    """Whether all of it has been looked at, which is for the reader to say."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """One document, to be read once from beginning to end."""

    extent: Extent
    chunks: Iterator[list[int]] = field(repr=False)


def documents(
    files: Iterable[SourceFile],
    tokenizer: AnyTokenizer,
    *,
    field: str = "text",
    separator: str | None = None,
    start: int | None = None,
) -> Iterator[Document]:
    """The documents of the files, in order; empty ones are left out.

    A file of text is one document, or with a separator several; JSON Lines, CSV and Parquet hold one a record. Each
    must be read before the next is asked for. `start` is a token to put before each.
    """
    for file in files:
        pieces = cut_pieces(FileReader(file, field=field, separator=separator).fragments())
        several = separator is not None or file.kind != "txt"
        for number in count(1):
            first = next(pieces, None)
            if first is None:
                break
            extent = Extent(name=f"{file.name} #{number}" if several else file.name)
            yield Document(extent=extent, chunks=_chunks(first, pieces, tokenizer, extent, start))


def _chunks(
    first: Piece, pieces: Iterator[Piece], tokenizer: AnyTokenizer, extent: Extent, start: int | None
) -> Iterator[list[int]]:
    """The tokens of a document, piece by piece."""
    in_word = False
    if start is not None:
        extent.tokens += 1
        yield [start]
    for piece in chain([first], pieces) if not first.ends else [first]:
        ids = tokenizer.encode(piece.text)
        extent.tokens += len(ids)
        # A word may go over the cut where there is no white space for a long stretch.
        extent.words += len(piece.text.split()) - (in_word and not piece.text[0].isspace())
        in_word = not piece.text[-1].isspace()
        yield ids
        if piece.ends:
            return
