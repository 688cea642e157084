"""A GGUF file of a GPT-2, read with suspicion: what it says is checked before it is trusted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError
from cutaway.tokenizer import Tokenizer
from cutaway.weights.gguf.formats import BY_NUMBER, FORMATS, Format
from cutaway.weights.gguf.names import name_from_gguf
from cutaway.weights.gguf.shape import config_from
from cutaway.weights.gguf.values import Value, ValueReader
from cutaway.weights.gguf.vocabulary import tokenizer_from
from cutaway.weights.mapping import map_tensor
from cutaway.weights.names import HEAD, Shape, is_transposed

SUFFIX = ".gguf"
VERSIONS = (2, 3)
MAX_TENSORS, MAX_VALUES, MAX_DIMENSIONS = 1 << 16, 1 << 12, 4


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Where one tensor lies, in bytes from the start of the file, and its shape with the slowest dimension first."""

    shape: Shape
    format: Format
    begin: int
    end: int


class GGUFFile:
    """The tensors of one file, by our names and in the layout of Hugging Face's checkpoints.

    Raises: CheckpointError when the file is damaged, or holds other tensors or formats than are read here.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.file_bytes = path.stat().st_size
            with path.open("rb") as stream:
                self.values, self.entries = self._read(ValueReader(stream, path, self.file_bytes))
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of each tensor as a checkpoint has it: those of Conv1D (in, out)."""
        return {name: entry.shape[::-1] if is_transposed(name) else entry.shape for name, entry in self.entries.items()}

    @property
    def config(self) -> GPTConfig:
        """The network that the file describes."""
        if not (embedding := self.entries.get("wte.weight")):
            raise CheckpointError(f"{self.path} has no tensor 'token_embd.weight'; it is not a GPT-2")
        return config_from(
            self.values, vocab_size=embedding.shape[0], tied=HEAD not in self.entries, source=str(self.path)
        )

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that the file describes."""
        return tokenizer_from(self.values, str(self.path))

    def array(self, name: str) -> NDArray[np.float32]:
        """One tensor in float32, mapped from the file where it is stored so.

        Raises: CheckpointError when the file changed meanwhile.
        """
        entry = self.entries[name]
        data = map_tensor(self.path, name, entry.begin, entry.end)
        numbers = entry.format.decode(data).reshape(entry.shape)
        return numbers.T if is_transposed(name) else numbers

    def _read(self, reader: ValueReader) -> tuple[dict[str, Value], dict[str, Entry]]:
        if (magic := reader.take(min(4, self.file_bytes))) != b"GGUF":
            raise CheckpointError(f"{self.path} begins with {magic!r}, not 'GGUF'; it is not a GGUF file")
        if (version := reader.number("<I")) not in VERSIONS:
            raise CheckpointError(f"{self.path} is GGUF version {version}; versions 2 and 3 are read, convert it")
        tensors = reader.count("<Q", MAX_TENSORS, "tensors")
        values = {}
        for _ in range(reader.count("<Q", MAX_VALUES, "values")):
            name = reader.text()
            values[name] = reader.value()
        infos = [self._info(reader) for _ in range(tensors)]
        begin = self._aligned(reader.stream.tell(), values.get("general.alignment", 32))
        entries = {name: self._entry(name, sizes, kind, begin + offset) for name, sizes, kind, offset in infos}
        if len(entries) != len(infos):
            raise reader.damaged("names a tensor twice")
        return values, entries

    def _info(self, reader: ValueReader) -> tuple[str, Shape, Format, int]:
        theirs = reader.text()
        sizes = [int(reader.number("<Q")) for _ in range(reader.count("<I", MAX_DIMENSIONS, "dimensions"))]
        number, offset = int(reader.number("<I")), int(reader.number("<Q"))
        if not (name := name_from_gguf(theirs)):
            raise CheckpointError(f"{self.path} has a tensor {theirs!r}, which no GPT-2 has; it cannot be loaded")
        if number not in BY_NUMBER:
            known = ", ".join(FORMATS)
            raise CheckpointError(f"{self.path}: tensor {theirs!r} has ggml's format {number}; {known} are read")
        return name, tuple(reversed(sizes)), BY_NUMBER[number], offset

    def _entry(self, name: str, shape: Shape, stored: Format, begin: int) -> Entry:
        numbers = math.prod(shape)
        if not shape or shape[-1] % stored.block:
            raise CheckpointError(
                f"{self.path}: tensor {name!r} has the shape {shape}, which {stored.name} cannot have; fetch it again"
            )
        end = begin + stored.size(numbers)
        if end > self.file_bytes:
            where = f"tensor {name!r} ends at byte {end:,}, the file at {self.file_bytes:,}"
            raise CheckpointError(f"{self.path} is truncated: {where}; fetch it again")
        return Entry(shape=shape, format=stored, begin=begin, end=end)

    def _aligned(self, at: int, alignment: Any) -> int:
        if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 20:
            raise CheckpointError(f"{self.path}: general.alignment={alignment!r} cannot be; fetch it again")
        return -(-at // alignment) * alignment


def open_gguf(path: Path) -> GGUFFile:
    """The file, read once as long as it does not change: its vocabulary takes a fifth of a second.

    Raises: CheckpointError when it is damaged, or holds other tensors or formats than are read here.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None
    return _opened(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=2)
def _opened(path: Path, _mtime_ns: int, _size: int) -> GGUFFile:
    return GGUFFile(path)
