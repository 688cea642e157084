"""The list of merges as text: one pair a line, in printable form, most important first.

Source: openai/gpt-2, the format of vocab.bpe; Hugging Face calls the same file merges.txt.
"""

from collections.abc import Iterable

from cutaway.errors import TokenizerError
from cutaway.tokenizer.byte_alphabet import BYTE_OF, to_piece
from cutaway.tokenizer.vocabulary import Pair

HEADER_START = "#version"


def parse_merges(lines: Iterable[str], source: str) -> list[Pair]:
    """The byte pairs that the lines name; `source` is how errors call them.

    Raises: TokenizerError for a line that is not two parts, or a part that no earlier line makes.
    """
    token_of = {character: bytes([byte]) for character, byte in BYTE_OF.items()}
    merges = []
    line = ""
    try:
        for line in lines:
            if not line or line.startswith(HEADER_START):
                continue
            left, right = line.split(" ")
            pair = token_of[left], token_of[right]
            token_of[left + right] = pair[0] + pair[1]
            merges.append(pair)
    except (KeyError, ValueError):
        raise TokenizerError(f"{source}: {line[:80]!r} does not merge two parts that earlier lines make") from None
    return merges


def format_merges(merges: Iterable[Pair]) -> str:
    """The text of a merges.txt with these merges."""
    lines = [f"{HEADER_START}: 0.2", *(f"{to_piece(left)} {to_piece(right)}" for left, right in merges)]
    return "\n".join(lines) + "\n"
