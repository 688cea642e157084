"""Texts that a model wrote, and reading them from the JSON of `cutaway generate` or from JSON Lines."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cutaway.errors import DataError
from cutaway.tokenizer import AnyTokenizer

MAX_BYTES = 256 << 20


@dataclass(frozen=True, kw_only=True)
class Written:
    """One sample: what was written, without the prompt and without what ended it."""

    tokens: tuple[int, ...]
    text: str
    ended: bool | None = None
    """Whether the model ended it by itself, with `<|endoftext|>` or a stop text; None where nobody knows."""


def read_samples(path: Path, tokenizer: AnyTokenizer) -> list[Written]:
    """The samples in a file.

    It is what `cutaway generate --json` prints, one such object or one a line, or lines of `{"text": "…"}` with, if
    known, `tokens` and `finish_reason`. Texts without tokens are encoded.

    Raises: DataError when the file cannot be read or holds something else.
    """
    content = _content(path)
    try:
        objects = [json.loads(content)]
    except ValueError:
        objects = [_line(line, number, path) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
    found = [sample for value in objects for sample in _samples(value, path, tokenizer)]
    if not found:
        raise DataError(f"{path} holds no samples; give the output of cutaway generate --json, or lines of JSON")
    return found


def _content(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise DataError(f"{path} is longer than {MAX_BYTES >> 20} MiB; give a part of it")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror}; check the path") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start:,}); convert it first") from None


def _line(line: str, number: int, path: Path) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}, line {number}: {error}; each line must be a JSON object") from None


def _samples(value: Any, path: Path, tokenizer: AnyTokenizer) -> Iterator[Written]:
    if isinstance(value, list):
        for one in value:
            yield from _samples(one, path, tokenizer)
    elif isinstance(value, dict) and isinstance(value.get("samples"), list):
        for sample in value["samples"]:
            yield _sample(sample, path, tokenizer)
    else:
        yield _sample(value, path, tokenizer)


def _sample(value: Any, path: Path, tokenizer: AnyTokenizer) -> Written:
    match value:
        case {"text": str(text)}:
            tokens = value.get("tokens")
            if tokens is None:
                tokens = tokenizer.encode(text)
            if not isinstance(tokens, list | tuple) or not all(
                type(token) is int and 0 <= token < tokenizer.n_vocab for token in tokens
            ):
                raise DataError(f"{path}: 'tokens' of {text[:40]!r} are not ids below {tokenizer.n_vocab:,}")
            reason = value.get("finish_reason")
            return written(tokens, text, tokenizer, None if reason is None else reason == "stop")
    raise DataError(f"{path}: {str(value)[:60]!r} is no sample; it needs a 'text'")


def written(tokens: Any, text: str, tokenizer: AnyTokenizer, ended: bool | None) -> Written:
    """A sample without the `<|endoftext|>` at its end."""
    ids = tuple(tokens)
    return Written(tokens=ids[:-1] if ids and ids[-1] == tokenizer.eot else ids, text=text, ended=ended)
