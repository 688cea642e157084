import gzip
import json

import pytest

from cutaway.data.records import read_records
from cutaway.errors import DataError

RECORDS = [{"a": "1", "b": "x, y"}, {"a": "2", "b": "ü"}]
LINES = "".join(json.dumps(record) + "\n" for record in RECORDS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.jsonl", LINES.encode()),
        ("r.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)),
        ("r.json", json.dumps(RECORDS).encode()),
        ("r.json.gz", gzip.compress(json.dumps(RECORDS).encode(), mtime=0)),
        ("r.csv", 'a,b\n1,"x, y"\n2,ü\n'.encode()),
        ("r.tsv", "a\tb\n1\tx, y\n2\tü\n".encode()),
    ],
)
def test_every_kind_of_file_gives_the_same_records(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert list(read_records(tmp_path / name)) == RECORDS


def test_parquet_gives_whole_rows(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet takes pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(RECORDS), tmp_path / "r.parquet")
    assert list(read_records(tmp_path / "r.parquet")) == RECORDS


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("r.jsonl", "[1]\n", "line 1 is not a JSON object"),
        ("r.jsonl", "{}\n{", "line 2 is not JSON"),
        ("r.json", "{}", "is not a list of JSON objects"),
        ("r.json", "{", "is not JSON"),
        ("r.csv", "a,b\n1\n", "line 2 does not have a cell for each column"),
        ("r.parquet", "no", "is not a whole Parquet file"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_name(tmp_path, name, content, sentence):
    if name == "r.parquet":
        pytest.importorskip("pyarrow", reason="Parquet takes pyarrow")
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=sentence):
        list(read_records(tmp_path / name, name))


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        list(read_records(tmp_path / "r.jsonl"))
