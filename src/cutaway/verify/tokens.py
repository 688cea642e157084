"""The tokenizer: whether it gives the ids the model was trained with, and every text back."""

from collections.abc import Iterator, Sequence
from typing import Any

from cutaway.config import GPTConfig
from cutaway.tokenizer import AnyTokenizer
from cutaway.verify.check import Check, judged, passed, skipped
from cutaway.verify.reference import Entry, Reference

CAUSE = "the tokenizer of another model, or one that adds a space or a special token in front"

ROUND_TRIPS = (
    "Hello World. This is Agney",
    " leading and  double spaces, tabs\tand\r\nlines\n\n",
    "naïve café — 東京 🦊🦉 Ελλάδα",
    "it's we'll they'd 3.14159 0x1F \u00a0\u2009 end",
    "<|endoftext|> as plain text",
)
"""Texts that go wrong first; a tokenizer of characters may not know them all."""


def tokenizer_checks(tokenizer: AnyTokenizer, config: GPTConfig, reference: Reference | None) -> Iterator[Check]:
    """Size, ids and round trips."""
    yield size_check(tokenizer, config)
    yield ids_check(tokenizer, reference.tokens if reference else ())
    yield round_trip_check(tokenizer)


def size_check(tokenizer: AnyTokenizer, config: GPTConfig) -> Check:
    """Whether tokenizer and model have as many tokens; a model may have some more, for speed."""
    spare = config.vocab_size - tokenizer.n_vocab
    end = "no <|endoftext|>" if tokenizer.eot is None else f"<|endoftext|> is {tokenizer.eot:,}"
    return judged(
        "vocabulary",
        holds=0 <= spare < 128,
        seen=f"{tokenizer.n_vocab:,} tokens, {end}; the model has room for {config.vocab_size:,}",
        expected=f"{config.vocab_size:,} tokens, or up to 127 fewer",
        cause="the tokenizer of another model",
    )


def ids_check(tokenizer: AnyTokenizer, entries: Sequence[Entry]) -> Check:
    """Whether known texts become the known ids."""
    if not entries:
        return skipped("token ids", "no texts with known ids for this model")
    for entry in entries:
        found = encode(tokenizer, entry["text"])
        if found != list(entry["ids"]):
            return judged(
                "token ids",
                holds=False,
                seen=f"{entry['text']!r} becomes {_short(found)}",
                expected=_short(entry["ids"]),
                cause=CAUSE,
            )
    return passed("token ids", f"{len(entries)} known texts become the known ids")


def round_trip_check(tokenizer: AnyTokenizer) -> Check:
    """Whether texts come back as they were."""
    tried = [text for text in ROUND_TRIPS if encode(tokenizer, text) is not None]
    for text in tried:
        back = tokenizer.decode(encode(tokenizer, text) or [])
        if back != text:
            cause = "a vocabulary with missing bytes or merges"
            return judged("round trip", holds=False, seen=repr(back), expected=repr(text), cause=cause)
    if not tried:
        return skipped("round trip", "the tokenizer knows none of the letters of the test texts")
    return passed("round trip", f"{len(tried)} texts encode and decode to themselves")


def encode(tokenizer: AnyTokenizer, text: str) -> list[int] | None:
    """The ids of a text; None where the tokenizer cannot write it."""
    try:
        return tokenizer.encode(text)
    except ValueError:  # every TokenizerError is one
        return None


def _short(ids: Any, most: int = 16) -> str:
    if ids is None:
        return "nothing: it cannot be encoded"
    return " ".join(map(str, ids[:most])) + (" …" if len(ids) > most else "")
