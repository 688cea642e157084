"""The data to look for copies in, block by block: prepared folders, arrays of ids, or text in any form."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from cutaway.data import PrepareSettings, TokenFolder, all_pieces, find
from cutaway.errors import DataError
from cutaway.samples.memorised import Block
from cutaway.tokenizer import AnyTokenizer

BLOCK_TOKENS = 1 << 20
MANIFEST = "manifest.json"

Told: TypeAlias = Callable[[str, int], None]
"""Is told what was read, and how many tokens of it so far."""


def open_corpus(
    sources: Sequence[str],
    tokenizer: AnyTokenizer,
    *,
    limit: int | None = None,
    tell: Told = lambda source, tokens: None,
) -> Iterator[Block]:
    """The tokens of all sources in turn, of each at most `limit`.

    A folder that `cutaway prepare` has filled gives its training tokens, a `.npy` file its ids; anything else is text,
    in any form that `prepare` reads, which is encoded on the way.

    Raises: DataError for what is missing, damaged, or of another vocabulary.
    """
    for source in sources:
        read = 0
        for block in _blocks(source, tokenizer):
            tokens = block.tokens if limit is None else block.tokens[: max(0, limit - read)]
            read += len(tokens)
            tell(source, read)
            yield block._replace(tokens=tokens)
            if limit is not None and read >= limit:
                break


def _blocks(source: str, tokenizer: AnyTokenizer) -> Iterator[Block]:
    path = Path(source)
    if (path / MANIFEST).is_file():
        return _prepared(path, tokenizer)
    if path.suffix == ".npy":
        return _array(path, tokenizer)
    return _text(source, tokenizer)


def _prepared(folder: Path, tokenizer: AnyTokenizer) -> Iterator[Block]:
    tokens = TokenFolder(folder, tokenizer.fingerprint).tokens("train")
    for start in range(0, len(tokens), BLOCK_TOKENS):
        yield Block(str(folder), tokens.read(start, min(len(tokens), start + BLOCK_TOKENS)))


def _array(path: Path, tokenizer: AnyTokenizer) -> Iterator[Block]:
    try:
        ids = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is no array of ids that can be read: {error}") from None
    if not isinstance(ids, np.ndarray) or ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise DataError(f"{path} is not a row of whole numbers; ids are needed")
    for start in range(0, len(ids), BLOCK_TOKENS):
        tokens = np.asarray(ids[start : start + BLOCK_TOKENS])
        if tokens.min() < 0 or tokens.max() >= tokenizer.n_vocab:
            raise DataError(
                f"{path} holds ids beyond the vocabulary of {tokenizer.n_vocab:,}; it is another tokenizer's"
            )
        yield Block(str(path), tokens)


def _text(source: str, tokenizer: AnyTokenizer) -> Iterator[Block]:
    """Each document by itself, so that no run reaches from one into the next."""
    document = 0
    for piece in all_pieces(find([source]), PrepareSettings()):
        yield Block(f"{source}, document {document}", np.array(tokenizer.encode(piece.text), np.int64))
        document += piece.ends
