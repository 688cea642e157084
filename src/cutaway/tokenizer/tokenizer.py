"""Text to ids and back: the tokenizer that the rest of the package uses."""

import operator
import os
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal, Self, TypeAlias

from cutaway.errors import TokenizerError, did_you_mean
from cutaway.tokenizer import bpe, folder, offsets, training
from cutaway.tokenizer.byte_alphabet import to_piece
from cutaway.tokenizer.gpt2 import gpt2_vocabulary
from cutaway.tokenizer.split import split
from cutaway.tokenizer.stream import StreamDecoder
from cutaway.tokenizer.vocabulary import END_OF_TEXT, Vocabulary

AllowedSpecial: TypeAlias = Collection[str] | Literal["all"]

PLAIN_CHARACTERS = 1000
"""So many characters are encoded in plain Python before the fast encoder is built, which takes longer than a prompt."""


@dataclass(frozen=True, kw_only=True)
class ChunkExplanation:
    """How one chunk of a text became tokens."""

    text: str
    steps: tuple[bpe.MergeStep, ...]
    ids: tuple[int, ...]


class Tokenizer:
    """GPT-2's byte-level BPE over one vocabulary. Any text encodes, and decodes to itself."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._plainly_encoded = 0

    @classmethod
    def gpt2(cls) -> Self:
        """The tokenizer of the published GPT-2 models, from package data."""
        return cls(gpt2_vocabulary())

    @classmethod
    def from_folder(cls, path: str | os.PathLike[str]) -> Self:
        """The tokenizer of a checkpoint folder: `tokenizer.json`, or `vocab.json` with `merges.txt`.

        Raises: TokenizerError when the files are missing, damaged, or not a byte-level BPE like GPT-2's.
        """
        return cls(folder.read(path))

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> Self:
        """A tokenizer learned from texts: 256 bytes, the merges, and `<|endoftext|>` with the last id.

        Raises: TokenizerError when `vocab_size` is under 257, or above what the texts can fill.
        """
        n_merges = vocab_size - 257
        if n_merges < 0:
            raise TokenizerError(f"vocab_size={vocab_size} is too small; 256 bytes and {END_OF_TEXT} need 257")
        return cls(Vocabulary.from_merges(training.learn_merges(texts, n_merges)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `vocab.json`, `merges.txt`, `tokenizer.json` and `tokenizer_config.json` into a folder."""
        folder.write(self.vocabulary, path)

    @property
    def n_vocab(self) -> int:
        """How many ids there are, special tokens included."""
        return len(self.vocabulary.tokens)

    @property
    def eot(self) -> int | None:
        """The id of `<|endoftext|>`, which separates documents; None when the vocabulary has none."""
        return self.special_tokens.get(END_OF_TEXT)

    @property
    def special_tokens(self) -> dict[str, int]:
        """The ids of the special tokens by their text."""
        return dict(self.vocabulary.special_tokens)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the vocabulary, in hexadecimal."""
        return self.vocabulary.fingerprint

    def encode(self, text: str, *, allowed_special: AllowedSpecial = ()) -> list[int]:
        """The ids of a text. Text that looks like a special token is ordinary text unless it is allowed.

        Raises: TokenizerError for a lone surrogate, something that is not a str, or an unknown special token.
        """
        _check_text(text)
        allowed = self._allowed(allowed_special)
        if not allowed:
            return self._encode_ordinary(text)
        ids: list[int] = []
        for part in _special_pattern(allowed).split(text):
            ids += [allowed[part]] if part in allowed else self._encode_ordinary(part)
        return ids

    def encode_batch(
        self, texts: Sequence[str], *, allowed_special: AllowedSpecial = (), threads: int | None = None
    ) -> list[list[int]]:
        """The ids of each text, in parallel; by default with one thread a core.

        Raises: TokenizerError as `encode` does.
        """
        if isinstance(texts, str):
            raise TokenizerError("encode_batch takes a list of texts; for one text use encode")
        if threads is not None and threads < 1:
            raise TokenizerError(f"threads={threads} must be at least 1, or None for one a core")
        from concurrent.futures import ThreadPoolExecutor  # only batches need it

        _ = self._fast  # built once, before all threads want it
        with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
            return list(pool.map(partial(self.encode, allowed_special=allowed_special), texts))

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some ids; bytes that are not UTF-8, such as half a character, become U+FFFD.

        Raises: TokenizerError for an id outside the vocabulary.
        """
        return self.decode_bytes(ids).decode(errors="replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The exact bytes of some ids.

        Raises: TokenizerError for an id outside the vocabulary.
        """
        return b"".join(map(self.token_bytes, ids))

    def stream(self) -> StreamDecoder:
        """A decoder that takes ids one by one and never gives half a character."""
        return StreamDecoder(self.token_bytes)

    def token_bytes(self, token: int) -> bytes:
        """The bytes of one token.

        Raises: TokenizerError for an id outside the vocabulary.
        """
        try:
            index = operator.index(token)
        except TypeError:
            raise TokenizerError(
                f"{token!r} is not a token id; ids are integers from 0 to {self.n_vocab - 1}"
            ) from None
        if not 0 <= index < self.n_vocab:
            raise TokenizerError(
                f"token id {index} is out of range; n_vocab={self.n_vocab}, so the last is {self.n_vocab - 1}"
            )
        return self.vocabulary.tokens[index]

    def piece(self, token: int) -> str:
        """One token in printable form, as in `vocab.json`: a space shows as `Ġ`.

        Raises: TokenizerError for an id outside the vocabulary.
        """
        content = self.token_bytes(token)
        special = operator.index(token) in self.vocabulary.special_tokens.values()
        return content.decode() if special else to_piece(content)

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The tokens in printable form."""
        return [self.piece(token) for token in ids]

    def id_of(self, piece: str) -> int:
        """The id of a token given in printable form, such as `Ġto`.

        Raises: TokenizerError, with the nearest piece, when there is no such token.
        """
        try:
            return self.vocabulary.pieces[piece]
        except KeyError:
            raise TokenizerError(f"there is no token {piece!r}; {self._nearest(piece)}") from None

    def offsets(self, text: str, ids: Iterable[int]) -> list[tuple[int, int]]:
        """Where in the text each token lies, as (start, end) in characters; parts of one character share its span.

        Raises: TokenizerError when the ids are not an encoding of this text.
        """
        _check_text(text)
        return offsets.character_spans(text, [self.token_bytes(token) for token in ids])

    def explain(self, text: str) -> list[ChunkExplanation]:
        """How the text is cut into chunks, and every merge in each.

        Raises: TokenizerError for a lone surrogate or a chunk over 2,000 bytes.
        """
        _check_text(text)
        return [self._explain_chunk(chunk) for chunk in split(text)]

    def _explain_chunk(self, chunk: str) -> ChunkExplanation:
        steps = tuple(bpe.explain(chunk.encode(), self.vocabulary.ranks))
        parts = steps[-1].after if steps else [bytes([byte]) for byte in chunk.encode()]
        return ChunkExplanation(text=chunk, steps=steps, ids=tuple(self.vocabulary.ids[part] for part in parts))

    def _encode_ordinary(self, text: str) -> list[int]:
        if "_fast" not in self.__dict__ and self._plainly_encoded + len(text) <= PLAIN_CHARACTERS:
            self._plainly_encoded += len(text)
            return bpe.encode(text, self.vocabulary)
        return self._fast(text)

    @cached_property
    def _fast(self) -> Callable[[str], list[int]]:
        from cutaway.tokenizer.fast import FastEncoder, is_exact_for  # decoding needs no tiktoken

        if is_exact_for(self.vocabulary):
            return FastEncoder(self.vocabulary).encode
        return partial(bpe.encode, vocabulary=self.vocabulary)

    def _allowed(self, allowed_special: AllowedSpecial) -> dict[str, int]:
        if allowed_special == "all":
            return self.special_tokens
        if isinstance(allowed_special, str):
            raise TokenizerError(f"allowed_special={allowed_special!r} must be 'all' or a set of special tokens")
        for text in allowed_special:
            if text not in self.vocabulary.special_tokens:
                raise TokenizerError(f"there is no special token {text!r}; {did_you_mean(text, self.special_tokens)}")
        return {text: self.vocabulary.special_tokens[text] for text in allowed_special}

    def _nearest(self, piece: str) -> str:
        import difflib  # only for this sentence

        as_text = to_piece(piece.encode(errors="replace"))
        if as_text in self.vocabulary.pieces:
            return f"did you mean {as_text!r}?"
        near = difflib.get_close_matches(piece, self.vocabulary.pieces, n=1)
        return f"did you mean {near[0]!r}?" if near else "encode the text to see which pieces it is made of"

    def __len__(self) -> int:
        return self.n_vocab

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokenizer) and self.vocabulary == other.vocabulary

    def __hash__(self) -> int:
        return hash(self.vocabulary.tokens)

    def __repr__(self) -> str:
        return f"Tokenizer(n_vocab={self.n_vocab}, special_tokens={list(self.special_tokens)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.vocabulary,)


def _check_text(text: object) -> None:
    if not isinstance(text, str):
        raise TokenizerError(
            f"text must be a str, not {type(text).__name__}; bytes need decoding first, lists encode_batch"
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TokenizerError(
            f"the text holds the lone surrogate {text[error.start]!r} at position {error.start}, not text; "
            "replace it with text.encode(errors='replace').decode()"
        ) from None


def _special_pattern(special_tokens: Iterable[str]) -> re.Pattern[str]:
    # The longest first, so that a token that begins another one does not hide it.
    return re.compile("(" + "|".join(map(re.escape, sorted(special_tokens, key=len, reverse=True))) + ")")
