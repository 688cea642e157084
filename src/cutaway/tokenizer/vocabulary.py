"""What a byte-level BPE knows: which pairs merge, in which order, and which id each token has."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import InitVar, dataclass
from functools import cached_property
from typing import TypeAlias

from cutaway.errors import TokenizerError
from cutaway.tokenizer.byte_alphabet import BYTE_OF, BYTE_ORDER, from_piece, to_piece

END_OF_TEXT = "<|endoftext|>"

Pair: TypeAlias = tuple[bytes, bytes]


@dataclass(frozen=True)
class Vocabulary:
    """The merges in order of priority, every token's bytes by id, and the special tokens by text.

    Raises: TokenizerError when a byte has no token, a merge uses a part that nothing makes, or two tokens collide.
    """

    merges: tuple[Pair, ...]
    tokens: tuple[bytes, ...]
    special_tokens: Mapping[str, int]
    check: InitVar[bool] = True
    """False for content that is known, which spares a tenth of a second."""

    def __post_init__(self, check: bool) -> None:
        for problem in self._problems() if check else ():
            raise TokenizerError(problem)

    @classmethod
    def from_merges(
        cls, merges: Iterable[Pair], special_tokens: Iterable[str] = (END_OF_TEXT,), *, check: bool = True
    ) -> "Vocabulary":
        """The vocabulary with GPT-2's numbering: 256 bytes, then one token a merge, then the special tokens."""
        merges, special_tokens = tuple(merges), tuple(special_tokens)
        ordinary = [bytes([byte]) for byte in BYTE_ORDER] + [left + right for left, right in merges]
        tokens = (*ordinary, *(text.encode() for text in special_tokens))
        return cls(merges, tokens, {text: len(ordinary) + i for i, text in enumerate(special_tokens)}, check)

    @cached_property
    def ids(self) -> dict[bytes, int]:
        """The id of each ordinary token. Special tokens are left out: no text becomes one by its looks."""
        ids: dict[bytes, int] = {}
        begin = 0
        for end in (*sorted(self.special_tokens.values()), len(self.tokens)):
            ids.update(zip(self.tokens[begin:end], range(begin, end), strict=False))
            begin = end + 1
        return ids

    @cached_property
    def ranks(self) -> dict[Pair, int]:
        """The priority of each merge; 0 goes first."""
        return dict(zip(self.merges, range(len(self.merges)), strict=True))

    @cached_property
    def pieces(self) -> dict[str, int]:
        """The id of each token in printable form, in the order of the ids."""
        text_of = {i: text for text, i in self.special_tokens.items()}
        return {text_of.get(i) or to_piece(token): i for i, token in enumerate(self.tokens)}

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the content, in hexadecimal: equal for equal vocabularies, wherever they were loaded from."""
        content = {
            "merges": [[left.hex(), right.hex()] for left, right in self.merges],
            "tokens": [token.hex() for token in self.tokens],
            "special_tokens": dict(self.special_tokens),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _problems(self) -> Iterator[str]:
        yield from self._bad_special_tokens()
        yield from self._bad_tokens()
        yield from self._bad_merges()

    def _bad_special_tokens(self) -> Iterator[str]:
        for text, i in self.special_tokens.items():
            if not text:
                yield f"the special token with id {i} is empty; give it a text"
            elif not 0 <= i < len(self.tokens) or self.tokens[i] != text.encode():
                yield f"the special token {text!r} is not the token with id {i}; its id must be its place"
            elif set(text) <= BYTE_OF.keys() and from_piece(text) in self.ids:
                yield f"the special token {text!r} is written like an ordinary token; rename it"

    def _bad_tokens(self) -> Iterator[str]:
        different = len(self.ids) + len(self.special_tokens)
        if different != len(self.tokens):
            yield f"{len(self.tokens):,} ids name only {different:,} different tokens; each token needs one id"
        for byte in map(bytes, zip(BYTE_ORDER)):
            if byte not in self.ids:
                yield f"there is no token for the byte {byte[0]} ({to_piece(byte)!r}); a byte-level BPE needs all 256"

    def _bad_merges(self) -> Iterator[str]:
        made = {bytes([byte]) for byte in BYTE_ORDER}
        for left, right in self.merges:
            if left not in made or right not in made:
                yield f"{_show(left, right)} are merged before both are made; put the merges in order"
            made.add(left + right)
        for token in made - self.ids.keys():
            yield f"the merges make {to_piece(token)!r}, which has no id; give it one"
        # Each merge that made something new is a different pair, so this spares building `ranks` as a rule.
        if len(made) != 256 + len(self.merges) and len(self.ranks) != len(self.merges):
            yield f"{len(self.merges) - len(self.ranks):,} merges are listed twice; list each pair once"


def _show(*parts: bytes) -> str:
    return " and ".join(repr(to_piece(part)) for part in parts)
