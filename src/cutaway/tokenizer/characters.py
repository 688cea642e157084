"""The simplest tokenizer there is: one id for each character that the training text has.

It knows no other characters and no `<|endoftext|>`. Its use is to learn how language models work, on small texts.
"""

import hashlib
import json
import operator
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from cutaway.atomic_file import write_atomically
from cutaway.errors import TokenizerError
from cutaway.tokenizer.stream import StreamDecoder

CHARACTERS_FILE = "characters.json"
MAX_FILE_BYTES = 16 << 20
"""All of Unicode fits."""


class CharTokenizer:
    """Characters to ids and back. Ids follow the characters' code points.

    Raises: TokenizerError when there is no character, one twice, or something that is not a character.
    """

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = tuple(characters)
        self._ids = {character: i for i, character in enumerate(self.characters)}
        for character in self.characters:
            if not isinstance(character, str) or len(character) != 1 or 0xD800 <= ord(character) < 0xE000:
                raise TokenizerError(f"{character!r} is not a character; a character vocabulary has one a token")
        if not self.characters or len(self._ids) != len(self.characters):
            raise TokenizerError("a character vocabulary needs at least one character, and each once")

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> Self:
        """The tokenizer of all characters in some texts.

        Raises: TokenizerError when the texts are empty.
        """
        found: set[str] = set()
        for text in texts:
            found.update(text)
        return cls(sorted(found))

    @classmethod
    def from_folder(cls, path: str | os.PathLike[str]) -> Self:
        """The tokenizer that `save` wrote into a folder.

        Raises: TokenizerError when it is missing or damaged.
        """
        file = Path(path) / CHARACTERS_FILE
        try:
            with file.open("rb") as stream:
                content = json.loads(stream.read(MAX_FILE_BYTES))
            return cls(content["characters"])
        except OSError as error:
            raise TokenizerError(f"cannot read {file}: {error.strerror}; check the folder") from None
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if isinstance(error, TokenizerError):
                raise TokenizerError(f"{file}: {error}") from None
            raise TokenizerError(f"{file} is damaged: it is not a list of characters; make it again") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `characters.json` into a folder."""
        file = Path(path) / CHARACTERS_FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"characters": self.characters}, ensure_ascii=False) + "\n"
        write_atomically(file, [content.encode()])

    @property
    def n_vocab(self) -> int:
        """How many ids there are."""
        return len(self.characters)

    @property
    def eot(self) -> None:
        """None: no character separates documents."""
        return

    @property
    def special_tokens(self) -> dict[str, int]:
        """None at all."""
        return {}

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the vocabulary, in hexadecimal."""
        return hashlib.sha256(json.dumps(self.characters).encode()).hexdigest()

    def encode(self, text: str, *, allowed_special: object = ()) -> list[int]:
        """The ids of a text; there are no special tokens to allow.

        Raises: TokenizerError for a character that is not in the vocabulary.
        """
        if not isinstance(text, str):
            raise TokenizerError(f"text must be a str, not {type(text).__name__}; bytes need decoding first")
        try:
            return [self._ids[character] for character in text]
        except KeyError as error:
            raise TokenizerError(
                f"the character {error.args[0]!r} is not among the {self.n_vocab} of this vocabulary; "
                "leave it out, or use a byte-level tokenizer, which knows every text"
            ) from None

    def encode_batch(
        self, texts: Sequence[str], *, allowed_special: object = (), threads: int | None = None
    ) -> list[list[int]]:
        """The ids of each text; `threads` is of no use here, and ignored.

        Raises: TokenizerError as `encode` does.
        """
        if isinstance(texts, str):
            raise TokenizerError("encode_batch takes a list of texts; for one text use encode")
        return [self.encode(text) for text in texts]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some ids.

        Raises: TokenizerError for an id outside the vocabulary.
        """
        return "".join(map(self.piece, ids))

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The UTF-8 bytes of some ids.

        Raises: TokenizerError for an id outside the vocabulary.
        """
        return self.decode(ids).encode()

    def stream(self) -> StreamDecoder:
        """A decoder that takes ids one by one."""
        return StreamDecoder(self.token_bytes)

    def token_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes of one character.

        Raises: TokenizerError for an id outside the vocabulary.
        """
        return self.piece(token).encode()

    def piece(self, token: int) -> str:
        """The character of one id.

        Raises: TokenizerError for an id outside the vocabulary.
        """
        try:
            index = operator.index(token)
        except TypeError:
            raise TokenizerError(
                f"{token!r} is not a token id; ids are integers from 0 to {self.n_vocab - 1}"
            ) from None
        if not 0 <= index < self.n_vocab:
            raise TokenizerError(f"token id {index} is out of range; the last is {self.n_vocab - 1}")
        return self.characters[index]

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The characters, one by one."""
        return list(map(self.piece, ids))

    def offsets(self, text: str, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Where each token lies in a text: one character each.

        Raises: TokenizerError when the ids are not the text's.
        """
        if self.decode(ids) != text:
            raise TokenizerError("the ids do not spell this text; take offsets with the text that was encoded")
        return [(index, index + 1) for index in range(len(text))]

    def id_of(self, piece: str) -> int:
        """The id of a character.

        Raises: TokenizerError when there is no such token.
        """
        if piece not in self._ids:
            raise TokenizerError(f"there is no token {piece!r}; this vocabulary has {self.n_vocab} single characters")
        return self._ids[piece]

    def __len__(self) -> int:
        return self.n_vocab

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CharTokenizer) and self.characters == other.characters

    def __hash__(self) -> int:
        return hash(self.characters)

    def __repr__(self) -> str:
        return f"CharTokenizer(n_vocab={self.n_vocab})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.characters,)


def is_saved_in(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a character vocabulary."""
    return (Path(path) / CHARACTERS_FILE).is_file()
