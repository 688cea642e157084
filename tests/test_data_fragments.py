import gzip
import itertools
import json
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.data import fragments
from cutaway.data.fragments import FileReader, split_documents
from cutaway.data.source_file import SourceFile
from cutaway.errors import DataError

TEXTS = ["One day,\r\nAlice went.", 'She said "你好", and left.', "naïve\ttabs\n\nand more"]
COMPRESS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}


def documents(path, *, field="text", separator=None, kind=None):
    """The documents of a file, each as one text."""
    texts = [""]
    for text, ends in FileReader(SourceFile.at(path, path.name, kind), field=field, separator=separator).fragments():
        texts[-1] += text
        texts += [""] * ends
    assert texts.pop() == ""
    return texts


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def csv_cell(text):
    return '"' + text.replace('"', '""') + '"'


CONTENTS = {
    "jsonl": "".join(json.dumps({"id": i, "text": text}) + "\n" for i, text in enumerate(TEXTS)),
    "ndjson": "\n\n".join(json.dumps({"text": text}, ensure_ascii=False) for text in TEXTS),
    "csv": "id,text\r\n" + "".join(f"{i},{csv_cell(text)}\r\n" for i, text in enumerate(TEXTS)),
    "tsv": "text\tid\n" + "".join(f"{csv_cell(text)}\t{i}\n" for i, text in enumerate(TEXTS)),
}


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("kind", CONTENTS)
def test_every_kind_of_file_gives_the_same_texts(tmp_path, kind, compression):
    content = COMPRESS[compression](CONTENTS[kind].encode())
    assert documents(written(tmp_path / f"a.{kind}{compression}", content)) == TEXTS


@pytest.mark.parametrize("text", [*TEXTS, "", "\n\n", "ends in half a line\r"])
def test_plain_text_is_one_document_exactly_as_it_stands(tmp_path, text):
    assert documents(written(tmp_path / "a.txt", text)) == [text]


def test_a_character_may_lie_across_two_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(fragments, "READ_BYTES", 1)
    assert documents(written(tmp_path / "a.txt", "你好 😀")) == ["你好 😀"]


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv"])
def test_a_byte_order_mark_is_not_text(tmp_path, name):
    content = {"a.txt": "text", "a.jsonl": '{"text": "text"}', "a.csv": "text\ntext"}[name]
    assert documents(written(tmp_path / name, "\ufeff" + content)) == ["text"]


def test_zstandard_frames_are_read_one_after_another(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    content = zstandard.compress(b"first half, ") + zstandard.compress(b"second half")
    assert documents(written(tmp_path / "a.txt.zst", content)) == ["first half, second half"]


def test_a_zstandard_file_that_is_cut_off_is_refused(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    whole = zstandard.compress(bytes(range(32, 127)) * 3000)
    with pytest.raises(DataError, match=r"a\.txt\.zst is damaged or cut off"):
        documents(written(tmp_path / "a.txt.zst", whole[:-20]))


def test_a_damaged_zstandard_file_is_refused(tmp_path):
    pytest.importorskip("zstandard")
    with pytest.raises(DataError, match=r"cannot read a\.txt\.zst: "):
        documents(written(tmp_path / "a.txt.zst", b"not compressed at all"))


@pytest.mark.parametrize("compression", [".gz", ".xz"])
@pytest.mark.parametrize("damage", [lambda whole: whole[:-20], lambda whole: b"nothing of the kind"])
def test_a_damaged_compressed_file_is_refused(tmp_path, compression, damage):
    whole = COMPRESS[compression](b"some text " * 10_000)
    with pytest.raises(DataError, match=rf"a\.txt\{compression}"):
        documents(written(tmp_path / f"a.txt{compression}", damage(whole)))


def test_parquet_gives_the_texts_of_its_column(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"id": [1, 2, 3, 4], "text": [*TEXTS, None]}), tmp_path / "a.parquet")
    assert documents(tmp_path / "a.parquet") == [*TEXTS, ""]
    with pytest.raises(DataError, match=r"no column 'story'; name one of these with --field: id, text"):
        documents(tmp_path / "a.parquet", field="story")
    with pytest.raises(DataError, match="has int64 in the column 'id', not text"):
        documents(tmp_path / "a.parquet", field="id")


def test_a_damaged_parquet_file_is_refused(tmp_path):
    pytest.importorskip("pyarrow")
    with pytest.raises(DataError, match=r"a\.parquet is not a whole Parquet file"):
        documents(written(tmp_path / "a.parquet", b"PAR1 and no more"))


def test_another_field_can_be_named(tmp_path):
    path = written(tmp_path / "a.jsonl", '{"text": 1, "story": "Once"}\n{"story": null}')
    assert documents(path, field="story") == ["Once", ""]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"title": "x", "id": 1}', r"a.jsonl, line 1 has no 'text'; .* --field: 'title', 'id'"),
        ("a.jsonl", '{"text": "x"}\n{"text": 3}', r"a.jsonl, line 2 has a int in 'text', not a text"),
        ("a.jsonl", '{"text": "x"}\n{"text": ', "a.jsonl, line 2 is not JSON"),
        ("a.jsonl", "[1, 2]", "a.jsonl, line 1 is not a JSON object"),
        ("a.jsonl", "[" * 100_000, "a.jsonl, line 1 is not JSON"),
        ("a.jsonl", '{"text": "\\ud800"}', "a.jsonl, line 1 holds the lone surrogate"),
        ("a.csv", "id,title\n1,x", "a.csv has no 'text'; .* --field: 'id', 'title'"),
        ("a.csv", "", "a.csv has no 'text'; .* it is empty"),
        ("a.csv", "id,text\n1", "a.csv, line 2 has 1 columns, not 2"),
        ("a.csv", 'text\n"never closed', "a.csv, line 2 is not CSV"),
        ("a.txt", b"caf\xe9", "a.txt is not UTF-8 text"),
        ("a.txt", b"half a character \xe4\xbd", "a.txt is not UTF-8 text"),
        ("a.jsonl", b'{"text": "caf\xe9"}', "a.jsonl is not UTF-8 text"),
        ("a.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00", "a.txt is a binary file"),
        ("a.txt", "utf-16".encode("utf-16"), "a.txt is a binary file"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message):
        documents(written(tmp_path / name, content))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_giant_line_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch, name):
    monkeypatch.setattr(fragments, "MAX_LINE_BYTES", 1000)
    content = {"a.jsonl": json.dumps({"text": "x" * 2000}), "a.csv": "text\n" + "x" * 2000}[name]
    with pytest.raises(DataError, match=r"line \d is longer than .*plain text file, which may be of any length"):
        documents(written(tmp_path / name, content))


def test_a_file_that_disappears_is_named(tmp_path):
    path = written(tmp_path / "a.txt", "text")
    source = SourceFile.at(path, path.name)
    path.unlink()
    with pytest.raises(DataError, match=r"cannot read a\.txt: No such file"):
        list(FileReader(source, field="text", separator=None).fragments())


def test_a_separator_divides_plain_text(tmp_path):
    path = written(tmp_path / "a.txt", "One.\n<|endoftext|>\nTwo.\n\nStill two.\n<|endoftext|>\nThree.\n")
    assert documents(path, separator="<|endoftext|>") == ["One.", "Two.\n\nStill two.", "Three."]


@given(
    texts=st.lists(st.text("ab\n", max_size=30), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 200), max_size=10),
)
def test_how_a_text_is_read_does_not_change_its_documents(texts, cuts):
    whole = "<-->".join(texts)
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    chunks = [whole[a:b] for a, b in itertools.pairwise(places)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fragments, "READ_BYTES", 5)
        found = [""]
        for text, ends in split_documents(chunks, "<-->"):
            found[-1] += text
            found += [""] * ends
    assert found == [*(text.strip("\n") for text in texts), ""]


def test_a_reader_knows_how_far_it_is(tmp_path):
    path = written(tmp_path / "a.txt", "x" * 100)
    reader = FileReader(SourceFile.at(path, path.name), field="text", separator=None)
    assert reader.position == 0
    list(reader.fragments())
    assert reader.position == 100
