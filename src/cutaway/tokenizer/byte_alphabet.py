"""A printable character for each of the 256 bytes, so that any token can be shown and stored as text.

Bytes that are visible in Latin-1 stand for themselves; the other 68 (controls, the space, the soft hyphen …) take
the characters from U+0100 on, in order. So the space becomes `Ġ` and the newline `Ċ`.

Source: openai/gpt-2, src/encoder.py, which needed text files without spaces inside tokens.
"""

from cutaway.errors import TokenizerError

_VISIBLE = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
_HIDDEN = [byte for byte in range(256) if byte not in _VISIBLE]

BYTE_ORDER: tuple[int, ...] = (*_VISIBLE, *_HIDDEN)
"""The bytes in the order of GPT-2's first 256 ids: the visible ones first."""

CHARACTER_OF: dict[int, str] = {byte: chr(byte) for byte in _VISIBLE}
CHARACTER_OF |= {byte: chr(256 + i) for i, byte in enumerate(_HIDDEN)}
BYTE_OF: dict[str, int] = {character: byte for byte, character in CHARACTER_OF.items()}


def to_piece(token: bytes) -> str:
    """The token's bytes as printable text: `b" to"` becomes `"Ġto"`."""
    return token.decode("latin-1").translate(CHARACTER_OF)


def from_piece(piece: str) -> bytes:
    """The bytes that a printable piece stands for: `"Ġto"` becomes `b" to"`.

    Raises: TokenizerError for a character outside the alphabet, such as a plain space.
    """
    try:
        return bytes([BYTE_OF[character] for character in piece])
    except KeyError as error:
        raise TokenizerError(
            f"the piece {piece!r} holds {error.args[0]!r}, which stands for no byte; a space is written 'Ġ'"
        ) from None
