"""Where tokens lie in a text, in characters."""

from collections.abc import Sequence
from itertools import accumulate

from cutaway.errors import TokenizerError


def character_spans(text: str, tokens: Sequence[bytes]) -> list[tuple[int, int]]:
    """The (start, end) of each token in the text; tokens that share a character each span the whole of it.

    Raises: TokenizerError when the tokens' bytes are not the text's.
    """
    if b"".join(tokens) != text.encode():
        raise TokenizerError("the ids do not spell this text; take offsets with the text that was encoded")
    character_at = _character_at_byte(text)
    ends = list(accumulate(map(len, tokens)))
    starts = [0, *ends[:-1]]
    return [(character_at[start], character_at[end - 1] + 1) for start, end in zip(starts, ends, strict=False)]


def _character_at_byte(text: str) -> Sequence[int]:
    if text.isascii():
        return range(len(text))
    return [index for index, character in enumerate(text) for _ in character.encode()]
