"""What a GGUF file says of itself: named values, each with a number for its type before it."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, TypeAlias

from cutaway.errors import CheckpointError

Value: TypeAlias = bool | int | float | str | Sequence[str] | Sequence[int]

UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9

NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"} | {
    10: "<Q",
    11: "<q",
    12: "<d",
}
"""Types of one number, as `struct` packs them."""

MAX_TEXT_BYTES = 1 << 20
MAX_ITEMS = 1 << 24


def encode_text(text: str) -> bytes:
    """Its length, then UTF-8."""
    content = text.encode()
    return struct.pack("<Q", len(content)) + content


def encode_values(values: Mapping[str, Value]) -> Iterator[bytes]:
    """All values with their names and types."""
    for name, value in values.items():
        yield encode_text(name)
        yield encode_value(value)


def encode_value(value: Value) -> bytes:
    """A value with the number of its type before it."""
    match value:
        case bool():
            return struct.pack("<I?", BOOL, value)
        case int():
            return struct.pack("<II", UINT32, value)
        case float():
            return struct.pack("<If", FLOAT32, value)
        case str():
            return struct.pack("<I", STRING) + encode_text(value)
    if all(isinstance(item, str) for item in value):
        return struct.pack("<IIQ", ARRAY, STRING, len(value)) + b"".join(map(encode_text, map(str, value)))
    return struct.pack(f"<IIQ{len(value)}i", ARRAY, INT32, len(value), *value)


class ValueReader:
    """The values of a file, one after the other, none larger than what is left of it.

    Raises: CheckpointError, from every method, when the file ends too early or says what cannot be.
    """

    def __init__(self, stream: BinaryIO, path: Path, file_bytes: int) -> None:
        self.stream, self.path, self.file_bytes = stream, path, file_bytes

    def number(self, layout: str) -> int | float:
        """One number in `struct`'s layout."""
        found: int | float = struct.unpack(layout, self.take(struct.calcsize(layout)))[0]
        return found

    def count(self, layout: str, limit: int, what: str) -> int:
        """How many of something follow, which is bounded."""
        found = int(self.number(layout))
        if found > limit:
            raise self.damaged(f"claims {found:,} {what}; more than {limit:,} are not read")
        return found

    def text(self) -> str:
        """A text."""
        content = self.take(self.count("<Q", MAX_TEXT_BYTES, "bytes for a text"))
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise self.damaged(f"holds the text {content[:40]!r}, which is not UTF-8") from None

    def value(self) -> Value:
        """A value of any type."""
        kind = self.number("<I")
        if kind == ARRAY:
            return self._array()
        return self._item(int(kind))

    def _array(self) -> Value:
        kind = int(self.number("<I"))
        items = self.count("<Q", MAX_ITEMS, "items in a list")
        if kind in NUMBERS:
            layout = NUMBERS[kind]
            content = self.take(items * struct.calcsize(layout))
            return [number for (number,) in struct.iter_unpack(layout, content)]
        if kind == STRING:
            return [self.text() for _ in range(items)]
        raise self.damaged(f"holds a list of values of type {kind}, which no GPT-2 needs")

    def _item(self, kind: int) -> bool | int | float | str:
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind == STRING:
            return self.text()
        raise self.damaged(f"holds a value of type {kind}, which GGUF does not have")

    def take(self, size: int) -> bytes:
        """The next bytes."""
        at = self.stream.tell()
        if size > self.file_bytes - at:
            raise self.damaged(f"is truncated: {size:,} bytes are wanted at byte {at:,} of {self.file_bytes:,}")
        return self.stream.read(size)

    def damaged(self, fault: str) -> CheckpointError:
        """The error for this file."""
        return CheckpointError(f"{self.path} {fault}; fetch it again")
