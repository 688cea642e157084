"""Opening files that may be compressed, and counting what has been read of them. The one door to `zstandard`."""

import gzip
import io
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cutaway.errors import MissingExtraError

if TYPE_CHECKING:
    import zstandard  # type: ignore[import-not-found,unused-ignore]

BUFFER_BYTES = 1 << 18


class CountedFile(io.FileIO):
    """A file opened for reading that knows how far it has been read: `position`, in bytes on disk."""

    position = 0

    def readinto(self, buffer: object) -> int | None:
        """Read some bytes, as files do, and count them."""
        count = super().readinto(buffer)  # type: ignore[arg-type]
        self.position += count or 0
        return count


@contextmanager
def open_plain(file: CountedFile, compression: str) -> Iterator[BinaryIO]:
    """The uncompressed bytes of a file, read on demand.

    Raises: MissingExtraError when it takes a library that is not installed.
    """
    with io.BufferedReader(file, BUFFER_BYTES) as stream:
        yield io.BufferedReader(_uncompressed(stream, compression), BUFFER_BYTES) if compression else stream


def _uncompressed(stream: BinaryIO, compression: str) -> io.RawIOBase:
    """Not quite raw, but read by a buffer above in the same way."""
    if compression == ".gz":
        return gzip.GzipFile(fileobj=stream)  # type: ignore[return-value]
    if compression == ".xz":
        return lzma.LZMAFile(stream)  # type: ignore[return-value]
    return ZstandardReader(stream)


class ZstandardReader(io.RawIOBase):
    """The uncompressed bytes of Zstandard frames; unlike the library's own reader, it notices a missing end."""

    def __init__(self, stream: BinaryIO) -> None:
        try:
            import zstandard
        except ModuleNotFoundError:
            raise MissingExtraError("zstandard", "data", "reading .zst files") from None
        self._decompressor = zstandard.ZstdDecompressor()
        self._fault = zstandard.ZstdError
        self._stream, self._frame = stream, None
        self._ready = b""

    _frame: "zstandard.ZstdDecompressionObj | None"

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: object) -> int:
        """Read some bytes, as files do.

        Raises: EOFError when the last frame is cut off; OSError when one is damaged.
        """
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        while not self._ready and self._fill():
            pass
        count = min(len(view), len(self._ready))
        view[:count], self._ready = self._ready[:count], self._ready[count:]
        return count

    def _fill(self) -> bool:
        """Decompress a little more; whether there was anything."""
        compressed = self._frame.unused_data if self._frame and self._frame.eof else b""
        compressed = compressed or self._stream.read(BUFFER_BYTES // 4)
        if not compressed:
            if self._frame and not self._frame.eof:
                raise EOFError("the compressed file ends too early")
            return False
        if self._frame is None or self._frame.eof:
            self._frame = self._decompressor.decompressobj()
        try:
            self._ready = self._frame.decompress(compressed)
        except self._fault as error:
            raise OSError(str(error)) from None
        return True


def counted(path: Path) -> CountedFile:
    """A file, ready to be read."""
    return CountedFile(path, "rb")
