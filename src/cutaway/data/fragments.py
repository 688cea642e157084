"""The text of a file as a stream of fragments that never fill the memory: (text, whether a document ends after it)."""

import codecs
import csv
import json
import lzma
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeAlias

from cutaway.data.decompress import CountedFile, counted, open_plain
from cutaway.data.parquet import parquet_texts
from cutaway.data.source_file import SourceFile
from cutaway.errors import DataError

Fragment: TypeAlias = tuple[str, bool]

READ_BYTES = 1 << 20
SNIFFED_BYTES = 1 << 13
MAX_LINE_BYTES = 64 << 20
"""The longest record: the text of twenty thick books."""


class FileReader:
    """Reads one file and knows how far it has come."""

    def __init__(self, source: SourceFile, *, field: str, separator: str | None) -> None:
        self.source, self.field, self.separator = source, field, separator
        self._file: CountedFile | None = None

    @property
    def position(self) -> int:
        """Bytes on disk read so far."""
        return min(self._file.position, self.source.size) if self._file else 0

    def fragments(self) -> Iterator[Fragment]:
        """All fragments of the file.

        Raises: DataError naming the file and what is wrong with it.
        """
        with refusing_damage(self.source), counted(self.source.path) as self._file:
            if self.source.kind == "parquet":
                yield from ((text, True) for text in parquet_texts(self._file, self.source.name, self.field))
                return
            with open_plain(self._file, self.source.compression) as stream:
                yield from self._fragments(stream)

    def _fragments(self, stream: BinaryIO) -> Iterator[Fragment]:
        name, field = self.source.name, self.field
        if self.source.kind == "jsonl":
            return ((text, True) for text in jsonl_texts(stream, name, field))
        if self.source.kind in ("csv", "tsv"):
            delimiter = "\t" if self.source.kind == "tsv" else ","
            return ((text, True) for text in csv_texts(stream, name, field, delimiter))
        chunks = plain_text(stream, name)
        return split_documents(chunks, self.separator) if self.separator else one_document(chunks)


@contextmanager
def refusing_damage(source: SourceFile) -> Iterator[None]:
    """Turn whatever reading stumbles over into a sentence that names the file."""
    try:
        yield
    except UnicodeDecodeError:
        raise DataError(f"{source.name} is not UTF-8 text; convert it first, for example with iconv") from None
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise DataError(f"{source.name} is damaged or cut off ({error}); fetch it again") from None
    except OSError as error:
        raise DataError(f"cannot read {source.name}: {error.strerror or error}; check the file") from None


def plain_text(stream: BinaryIO, name: str) -> Iterator[str]:
    """The text of a file in chunks, exactly as it stands there but for a byte-order mark.

    Raises: DataError for a binary file.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    content = stream.read(READ_BYTES)
    if b"\0" in content[:SNIFFED_BYTES]:
        raise DataError(f"{name} is a binary file, not UTF-8 text; leave it out or convert it")
    while content:
        yield decoder.decode(content)
        content = stream.read(READ_BYTES)
    yield decoder.decode(b"", final=True)


def one_document(chunks: Iterable[str]) -> Iterator[Fragment]:
    """All chunks as one document."""
    yield from ((chunk, False) for chunk in chunks)
    yield "", True


def split_documents(chunks: Iterable[str], separator: str) -> Iterator[Fragment]:
    """A document up to each separator; the line ends around a separator go with it."""
    held, begins = "", True
    for chunk in chunks:
        *whole, held = (held + chunk).split(separator)
        for text in whole:
            yield (text.lstrip("\r\n") if begins else text).rstrip("\r\n"), True
            begins = True
        # What a separator, or the line ends before one, might still need stays behind.
        sure = len(held.rstrip("\r\n")) - len(separator)
        if sure > READ_BYTES:
            yield held[:sure].lstrip("\r\n") if begins else held[:sure], False
            held, begins = held[sure:], False
    yield (held.lstrip("\r\n") if begins else held).rstrip("\r\n"), True


def jsonl_texts(stream: BinaryIO, name: str, field: str) -> Iterator[str]:
    """The text field of each line.

    Raises: DataError naming the line that is no JSON object with that field.
    """
    for number, record in jsonl_records(stream, name):
        if field not in record:
            raise DataError(no_field(f"{name}, line {number:,}", field, record))
        yield checked_text(record[field], f"{name}, line {number:,}", field)


def jsonl_records(stream: BinaryIO, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's number and object; empty lines are left out.

    Raises: DataError naming the line that is no JSON object.
    """
    for number, line in enumerate(bounded_lines(stream, name), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except (json.JSONDecodeError, RecursionError):
            raise DataError(f"{name}, line {number:,} is not JSON; JSON Lines has one object a line") from None
        if not isinstance(record, dict):
            raise DataError(f"{name}, line {number:,} is not a JSON object; JSON Lines has one object a line")
        yield number, record


def csv_texts(stream: BinaryIO, name: str, field: str, delimiter: str) -> Iterator[str]:
    """The column of that heading.

    Raises: DataError for a missing column or a broken row.
    """
    lines = (line.decode("utf-8-sig" if not i else "utf-8") for i, line in enumerate(bounded_lines(stream, name)))
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    before = csv.field_size_limit(MAX_LINE_BYTES)
    try:
        columns = next(rows, [])
        if field not in columns:
            raise DataError(no_field(name, field, columns))
        place = columns.index(field)
        for row in rows:
            if row and place >= len(row):
                raise DataError(f"{name}, line {rows.line_num:,} has {len(row)} columns, not {len(columns)}; mend it")
            if row:
                yield checked_text(row[place], f"{name}, line {rows.line_num:,}", field)
    except csv.Error as error:
        raise DataError(f"{name}, line {rows.line_num:,} is not CSV ({error}); mend it") from None
    finally:
        csv.field_size_limit(before)


def bounded_lines(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """The lines of a stream, none longer than memory can bear.

    Raises: DataError for a longer one.
    """
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise DataError(
                f"{name}, line {number:,} is longer than {MAX_LINE_BYTES >> 20} MiB; put the text into several lines, "
                "or into a plain text file, which may be of any length"
            )
        yield line


def checked_text(text: object, place: str, field: str) -> str:
    """A text that can be encoded; null is the empty one.

    Raises: DataError when it is not a text, or has half a character in it.
    """
    if not isinstance(text, str | None):
        raise DataError(f"{place} has a {type(text).__name__} in {field!r}, not a text; name another with --field")
    text = text or ""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{place} holds the lone surrogate {text[error.start]!r}, which is not text; mend it") from None
    return text


def no_field(place: str, field: str, known: Iterable[str]) -> str:
    """The sentence that says where the text might be instead."""
    names = ", ".join(repr(name) for name in list(known)[:10]) or "it is empty"
    return f"{place} has no {field!r}; name the field that holds the text with --field: {names}"
