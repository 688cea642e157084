"""The records of a data set with all their fields: JSON Lines, a JSON list, CSV, TSV or Parquet."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from cutaway.data.decompress import counted, open_plain
from cutaway.data.fragments import MAX_LINE_BYTES, bounded_lines, jsonl_records, refusing_damage
from cutaway.data.parquet import parquet_records
from cutaway.data.source_file import SourceFile
from cutaway.errors import DataError

Record: TypeAlias = dict[str, Any]

MAX_JSON_BYTES = 256 << 20
"""A JSON list is read as a whole; longer data sets come as JSON Lines."""


def read_records(path: Path, name: str = "") -> Iterator[Record]:
    """The records of a file, whose name says of which kind it is; `name` is what errors call it.

    Raises: DataError naming the file and what is wrong with it.
    """
    source = SourceFile.at(path, name or str(path))
    with refusing_damage(source), counted(path) as file:
        if source.kind == "parquet":
            yield from parquet_records(file, source.name)
            return
        with open_plain(file, source.compression) as stream:
            if Path(path.name.removesuffix(source.compression)).suffix == ".json":
                yield from json_records(stream, source.name)
            elif source.kind in ("csv", "tsv"):
                yield from csv_records(stream, source.name, "\t" if source.kind == "tsv" else ",")
            else:
                yield from (record for _, record in jsonl_records(stream, source.name))


def json_records(stream: BinaryIO, name: str) -> Iterator[Record]:
    """The objects of a JSON list.

    Raises: DataError when it is something else, or too long.
    """
    content = stream.read(MAX_JSON_BYTES + 1)
    if len(content) > MAX_JSON_BYTES:
        raise DataError(f"{name} is longer than {MAX_JSON_BYTES >> 20} MiB; make JSON Lines of it")
    try:
        records = json.loads(content)
    except (json.JSONDecodeError, RecursionError):
        raise DataError(f"{name} is not JSON; JSON Lines is named .jsonl") from None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise DataError(f"{name} is not a list of JSON objects; give one, or JSON Lines, named .jsonl")
    yield from records


def csv_records(stream: BinaryIO, name: str, delimiter: str) -> Iterator[Record]:
    """The rows by the names in the first.

    Raises: DataError for a broken row.
    """
    lines = (line.decode("utf-8-sig" if not i else "utf-8") for i, line in enumerate(bounded_lines(stream, name)))
    rows = csv.DictReader(lines, delimiter=delimiter, strict=True)
    before = csv.field_size_limit(MAX_LINE_BYTES)
    try:
        for row in rows:
            if None in row or None in row.values():
                raise DataError(f"{name}, line {rows.line_num:,} does not have a cell for each column; mend it")
            yield row
    except csv.Error as error:
        raise DataError(f"{name}, line {rows.line_num:,} is not CSV ({error}); mend it") from None
    finally:
        csv.field_size_limit(before)
