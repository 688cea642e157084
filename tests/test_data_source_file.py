import io

import pytest

from cutaway.data.source_file import find, kind_and_compression, spool
from cutaway.errors import DataError


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text", encoding="utf-8")


def names(corpus):
    return [file.name for file in corpus.files]


def test_a_folder_gives_its_files_of_known_kinds_in_a_fixed_order(tmp_path):
    touch(*(tmp_path / name for name in ["b.txt", "a/z.jsonl", "a/c.csv.gz", "d.parquet", "a.xz", "README.md"]))
    corpus = find([str(tmp_path)])
    assert names(corpus) == ["a/c.csv.gz", "a/z.jsonl", "b.txt", "d.parquet"]
    assert corpus.skipped == ("README.md", "a.xz")
    assert corpus.size == 16


def test_hidden_files_are_not_part_of_a_folder(tmp_path):
    touch(tmp_path / "a.txt", tmp_path / ".secret.txt", tmp_path / ".git" / "b.txt")
    assert names(find([str(tmp_path)])) == ["a.txt"]


def test_a_named_file_is_plain_text_whatever_its_name(tmp_path):
    touch(tmp_path / "notes.md")
    (file,) = find([str(tmp_path / "notes.md")]).files
    assert (file.kind, file.compression, file.name) == ("txt", "", "notes.md")


def test_a_kind_that_is_given_goes_before_the_name(tmp_path):
    touch(tmp_path / "stories.txt")
    assert find([str(tmp_path)], "jsonl").files[0].kind == "jsonl"


def test_a_pattern_reaches_into_folders(tmp_path):
    touch(tmp_path / "a" / "x.md", tmp_path / "a" / "b" / "y.md", tmp_path / "z.txt")
    assert [file.path.name for file in find([f"{tmp_path}/**/*.md"]).files] == ["y.md", "x.md"]


def test_a_file_that_is_found_twice_is_read_once(tmp_path):
    touch(tmp_path / "a.txt", tmp_path / "b.txt")
    corpus = find([str(tmp_path / "b.txt"), str(tmp_path), f"{tmp_path}/*.txt"])
    assert names(corpus) == ["b.txt", "a.txt"]


def test_sources_keep_the_order_in_which_they_are_given(tmp_path):
    touch(tmp_path / "one" / "z.txt", tmp_path / "two" / "a.txt")
    assert names(find([str(tmp_path / "one"), str(tmp_path / "two")])) == ["z.txt", "a.txt"]


def test_a_missing_source_is_named_with_the_nearest_one(tmp_path):
    touch(tmp_path / "stories.txt")
    with pytest.raises(DataError, match=r"there is no file or folder .*storys\.txt'; did you mean 'stories\.txt'"):
        find([str(tmp_path / "storys.txt")])


def test_a_pattern_that_matches_nothing_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"there is no file or folder .*; check the path"):
        find([f"{tmp_path}/*.txt"])


def test_a_folder_without_text_says_what_would_be_text(tmp_path):
    touch(tmp_path / "picture.png")
    with pytest.raises(DataError, match=r"the corpus is empty: .* \.txt .* 1 files of other kinds, such as 'picture"):
        find([str(tmp_path)])


def test_no_source_at_all_is_an_empty_corpus():
    with pytest.raises(DataError, match="the corpus is empty"):
        find([])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.TXT", ("txt", "")),
        ("a.jsonl.zst", ("jsonl", ".zst")),
        ("a.ndjson.GZ", ("jsonl", ".gz")),
        ("a.tsv.xz", ("tsv", ".xz")),
        ("a.png", (None, "")),
        ("a", (None, "")),
        ("a.gz", (None, ".gz")),
    ],
)
def test_names_say_what_files_are(tmp_path, name, expected):
    assert kind_and_compression(tmp_path / name) == expected


def test_standard_input_becomes_a_file(tmp_path):
    file = spool(io.BytesIO(b"piped in"), tmp_path / "new", None)
    assert (file.path.read_bytes(), file.kind, file.name, file.size) == (b"piped in", "txt", "standard input", 8)
