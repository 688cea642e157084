"""The text column, or the rows, of a Parquet file, a few at a time. The one door to `pyarrow`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from cutaway.errors import DataError, MissingExtraError

ROWS = 64


def parquet_records(stream: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    """The rows with all their columns.

    Raises: DataError when the file is damaged; MissingExtraError without pyarrow.
    """
    with _opened(stream, name) as file:
        for batch in file.iter_batches(batch_size=ROWS):
            yield from batch.to_pylist()


def parquet_texts(stream: BinaryIO, name: str, field: str) -> Iterator[str]:
    """The texts of one column; missing values are empty documents.

    Raises: DataError when the file is damaged or has no such column of text; MissingExtraError without pyarrow.
    """
    with _opened(stream, name) as file:
        _refuse_without_text(file.schema_arrow, name, field)
        for batch in file.iter_batches(batch_size=ROWS, columns=[field]):
            yield from (text or "" for text in batch.column(0).to_pylist())


@contextmanager
def _opened(stream: BinaryIO, name: str) -> Iterator[Any]:
    try:
        import pyarrow  # type: ignore[import-not-found,import-untyped,unused-ignore]
        from pyarrow import parquet  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ModuleNotFoundError:
        raise MissingExtraError("pyarrow", "data", "reading Parquet files") from None
    try:
        yield parquet.ParquetFile(stream)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowException) as error:
        raise DataError(f"{name} is not a whole Parquet file ({str(error).splitlines()[0]}); fetch it again") from None


def _refuse_without_text(schema: object, name: str, field: str) -> None:
    columns = {column.name: str(column.type) for column in schema}  # type: ignore[attr-defined]
    if field not in columns:
        raise DataError(f"{name} has no column {field!r}; name one of these with --field: {', '.join(columns)}")
    if columns[field] not in ("string", "large_string", "string_view"):
        raise DataError(f"{name} has {columns[field]} in the column {field!r}, not text; name another with --field")
