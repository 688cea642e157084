"""Cutting a text into chunks before any merging: a merge never crosses from one word to the next.

A chunk is an English ending such as `'ll`, or letters, or numbers, or symbols, each with the one space before it, or
else whitespace. Source: the pattern in openai/gpt-2, src/encoder.py. This is the only module that imports `regex`.
"""

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex  # type: ignore[import-untyped]

UNICODE_AFTER_16 = (
    r"\u0558\u058b-\u058c\u088f\u0c5c\u0cdc\u208f\u209d-\u209f\ua7ce-\ua7cf\ua7d2\ua7d4\ua7dd\ua7e2\ua7f1\uab6c-\uab6d"
    r"\U000107bb-\U000107bf\U00010940-\U00010959\U00010ec5-\U00010ec7\U00010ed9-\U00010eee\U00011b0a"
    r"\U00011db0-\U00011ddb\U00011de0-\U00011de9\U00011df1\U0001246f\U00012475-\U0001247f\U00012550-\U00012686"
    r"\U00016ea0-\U00016eb8\U00016ebb-\U00016ed3\U00016ff2-\U00016ff6\U000187f8-\U000187ff\U00018cd6-\U00018cda"
    r"\U00018d09-\U00018d20\U00018d80-\U00018df2\U00018e00-\U00019191\U000191a0-\U000191d2\U0001b123-\U0001b128\U0001b168"
    r"\U0001d6a6\U0001df1f-\U0001df24\U0001df2b-\U0001df81\U0001df90-\U0001df96\U0001dfcd-\U0001dfff"
    r"\U0001e6c0-\U0001e6de\U0001e6e0-\U0001e6e2\U0001e6e4-\U0001e6e5\U0001e6e7-\U0001e6ed\U0001e6f0-\U0001e6f4"
    r"\U0001e6fe-\U0001e6ff\U0002b73a-\U0002b73f\U0002b81e\U0002cea2-\U0002cead\U000323b0-\U00033479\U0003d000-\U0003fc3f"
)
"""Letters and numbers that the `regex` library knows, and the tables (Unicode 16) of tiktoken and tokenizers do not.

They count as symbols here too, so that every encoder cuts the same chunks. A test goes through all of Unicode.
"""

LETTER = rf"[\p{{L}}--[{UNICODE_AFTER_16}]]"
NUMBER = rf"[\p{{N}}--[{UNICODE_AFTER_16}]]"
SYMBOL = rf"[[^\s\p{{L}}\p{{N}}]||[{UNICODE_AFTER_16}]]"
WHITESPACE = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""The members of `\\s` in Unicode; Python's `re` also counts U+001C to U+001F."""

LONG_BLANK = re.compile(f"[{WHITESPACE}]{{256,}}(?![{WHITESPACE}])")
BLANK_SAMPLING = 32
SAMPLED_BLANK = re.compile(f"[{WHITESPACE}]{{{256 // BLANK_SAMPLING}}}")


ENDINGS = "'(?:[sdmt]|ll|ve|re)"
"""The contractions that English tokens end in."""


def split(text: str) -> list[str]:
    """The chunks of a text, which joined together give it back: a word and the one space before it, mostly."""
    pattern = ascii_pattern() if text.isascii() else chunk_pattern()
    return [chunk.group() for chunk in pattern.finditer(text)]


@cache
def chunk_pattern() -> "regex.Pattern[str]":
    """The compiled pattern of a chunk."""
    import regex  # here, because importing it and compiling costs 15 ms that decoding and plain English do not need

    return regex.compile(rf"{ENDINGS}| ?{LETTER}+| ?{NUMBER}+| ?{SYMBOL}+|\s+(?!\S)|\s+", regex.VERSION1)


@cache
def ascii_pattern() -> re.Pattern[str]:
    """The same for a text of ASCII, for which Python's own library will do: it lacks only Unicode's classes."""
    letter, number, blank = "A-Za-z", "0-9", "\t-\r "
    symbol = f"[^{letter}{number}{blank}]"
    return re.compile(f"{ENDINGS}| ?[{letter}]+| ?[{number}]+| ?{symbol}+|[{blank}]+(?![^{blank}])|[{blank}]+")


def cut_long_blanks(text: str) -> list[str]:
    """The text in pieces that encode as the whole does, none with a long run of whitespace before a word.

    A run's last character goes with the word after it, and the rest are one chunk. Cutting between the two changes
    no chunk, and spares an encoder whose pattern matching backtracks over the run.
    """
    # Any long run covers several of these samples in a row; looking at them first spares most texts the search.
    if not SAMPLED_BLANK.search(text[::BLANK_SAMPLING]):
        return [text] if text else []
    pieces, start = [], 0
    for blank in LONG_BLANK.finditer(text):
        if blank.end() < len(text):
            pieces += [text[start : blank.start()], text[blank.start() : blank.end() - 1]]
            start = blank.end() - 1
    return [piece for piece in (*pieces, text[start:]) if piece]
