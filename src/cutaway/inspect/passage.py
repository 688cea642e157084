"""A text as one model reads it: what every question about a model is asked of."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from cutaway.errors import InspectionError
from cutaway.generate.reader import check_ids
from cutaway.model import GPT
from cutaway.tokenizer import AnyTokenizer

Prompt = str | Sequence[int]
"""A text, or token ids."""


class TextModel(Protocol):
    """A model with its tokenizer, as `cutaway.load` returns it."""

    @property
    def model(self) -> GPT:
        """The network."""
        ...

    @property
    def tokenizer(self) -> AnyTokenizer:
        """What it was trained with."""
        ...

    @property
    def name(self) -> str:
        """What it goes by."""
        ...

    def ids(self, prompt: Prompt) -> list[int]:
        """The token ids of a prompt."""
        ...


AnyModel = TextModel | GPT
"""What can be looked into; a bare GPT reads token ids only, and its tokens go by their numbers."""


@dataclass(frozen=True, kw_only=True)
class Passage:
    """Token ids and the model that reads them."""

    model: GPT
    ids: tuple[int, ...]
    tokenizer: AnyTokenizer | None
    name: str

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """The tokens in printable form."""
        return tuple(piece_of(self.tokenizer, token) for token in self.ids)

    @property
    def idx(self) -> Tensor:
        """The ids for the model.

        Shapes: (1, T)
        """
        return torch.tensor([self.ids], device=self.model.device)

    def position(self, position: int) -> int:
        """A position counted from the front, given from the front or, below zero, from the back.

        Raises: InspectionError when the text has no such position.
        """
        if not -len(self.ids) <= position < len(self.ids):
            raise InspectionError(f"there is no position {position} in a text of {len(self.ids)} tokens")
        return position % len(self.ids)

    def token(self, token: str | int) -> int:
        """A token's id, given as an id, in printable form (`Ġfox`), or as text that is one token (` fox`).

        Raises: InspectionError when it is no token of this model.
        """
        return token_id(self.model, self.tokenizer, token)


def read(model: AnyModel, prompt: Prompt, *, any_length: bool = False) -> Passage:
    """A prompt, checked, with the model that is to read it.

    Raises: GenerationError for an empty text or an id outside the vocabulary; InspectionError for more tokens than the
        context holds, unless `any_length` is fine, and for text where there is no tokenizer.
    """
    network, tokenizer, name = parts(model)
    if isinstance(model, GPT):
        if isinstance(prompt, str):
            raise InspectionError("a bare GPT reads no text; give token ids, or the LanguageModel with its tokenizer")
        ids = tuple(prompt)
    else:
        ids = tuple(model.ids(prompt))
    check_ids([ids], network.config.vocab_size)
    if len(ids) > network.config.block_size and not any_length:
        raise InspectionError(
            f"{len(ids):,} tokens do not fit a context of {network.config.block_size:,}; shorten the text"
        )
    return Passage(model=network, ids=ids, tokenizer=tokenizer, name=name)


def parts(model: AnyModel) -> tuple[GPT, AnyTokenizer | None, str]:
    """The network, the tokenizer if there is one, and the name."""
    return (model, None, "") if isinstance(model, GPT) else (model.model, model.tokenizer, model.name)


def piece_of(tokenizer: AnyTokenizer | None, token: int) -> str:
    """A token in printable form; its number where nobody knows one, as in a vocabulary padded for speed."""
    return tokenizer.piece(token) if tokenizer is not None and token < tokenizer.n_vocab else f"<{token}>"


def token_id(model: GPT, tokenizer: AnyTokenizer | None, token: str | int) -> int:
    """A token's id, given as an id, in printable form, or as text that is one token.

    Raises: InspectionError when it is no token of this model.
    """
    if isinstance(token, int):
        if not 0 <= token < model.config.vocab_size:
            raise InspectionError(f"there is no token {token:,}; the model's are 0 to {model.config.vocab_size - 1:,}")
        return token
    if tokenizer is None:
        raise InspectionError(f"a bare GPT does not know the token {token!r}; give its id")
    ids = tokenizer.encode(token)
    if len(ids) == 1:
        return ids[0]
    try:
        return tokenizer.id_of(token)
    except ValueError:
        pieces = ", ".join(map(repr, tokenizer.pieces(ids))) or "nothing"
        raise InspectionError(f"{token!r} is not one token but {pieces}; choose one of these") from None
