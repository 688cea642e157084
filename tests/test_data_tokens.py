import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora import ByteEncoder, ManyTokens, story_corpus
from cutaway.data import Job, PrepareSettings, TokenFolder, Tokens, prepare
from cutaway.data.tokens import ArrayBlock
from cutaway.errors import DataError

EOT = 99


@st.composite
def texts_in_blocks(draw):
    """Documents as one row of ids, the places where they end, and the row cut into blocks."""
    documents = draw(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=5), min_size=1, max_size=6))
    row = [token for document in documents for token in [*document, EOT]]
    ends = np.cumsum([len(document) + 1 for document in documents])
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(row) - 1)), max_size=4)))
    places = [0, *(cut for cut in cuts if cut < len(row)), len(row)]
    blocks = []
    for low, high in itertools.pairwise(places):
        inside = ends[(ends > low) & (ends <= high)] - low
        blocks.append(ArrayBlock(np.array(row[low:high], np.uint16), inside.astype(np.uint64)))
    return row, ends, blocks


def as_tokens(blocks, eot=EOT):
    return Tokens(blocks.__getitem__, [len(block.tokens) for block in blocks], eot)


@given(texts=texts_in_blocks(), data=st.data())
def test_any_part_reads_as_from_one_row(texts, data):
    row, _, blocks = texts
    tokens = as_tokens(blocks)
    start = data.draw(st.integers(0, len(row)))
    stop = data.draw(st.integers(start, len(row)))
    assert len(tokens) == len(row)
    assert tokens.read(start, stop).tolist() == row[start:stop]
    assert tokens.read(start, stop).dtype == np.int64


@given(texts=texts_in_blocks(), data=st.data())
def test_a_document_starts_with_the_token_that_separates_it(texts, data):
    row, _, blocks = texts
    start = data.draw(st.integers(0, len(row)))
    stop = data.draw(st.integers(start, len(row)))
    assert as_tokens(blocks).document_starts(start, stop).tolist() == [i == EOT for i in row[start:stop]]


@given(texts=texts_in_blocks(), data=st.data())
def test_without_such_a_token_it_starts_after_the_end_of_the_last(texts, data):
    row, ends, blocks = texts
    start = data.draw(st.integers(0, len(row)))
    stop = data.draw(st.integers(start, len(row)))
    marks = as_tokens(blocks, eot=None).document_starts(start, stop)
    assert marks.tolist() == [place in ends for place in range(start, stop)]


@pytest.fixture
def folder(tmp_path):
    job = Job(story_corpus(tmp_path / "corpus"), ByteEncoder(), PrepareSettings(validation=0.1, unit_bytes=2048))
    prepare(job, tmp_path / "out")
    return tmp_path / "out"


def test_a_split_is_one_row_over_all_its_shards(folder):
    data = TokenFolder(folder, ByteEncoder.fingerprint)
    tokens = data.tokens("train")
    shards = [data.shard(shard.file).tokens for shard in data.manifest.of("train")]
    assert tokens.read(0, len(tokens)).tolist() == np.concatenate(shards).tolist()
    assert len(tokens) == data.manifest.totals("train").n_tokens
    starts = tokens.document_starts(0, len(tokens))
    assert (starts == (tokens.read(0, len(tokens)) == ByteEncoder.eot)).all()


def test_data_of_another_vocabulary_is_refused(folder):
    with pytest.raises(DataError, match=r"was made with another vocabulary \(257 tokens, .* than the one given"):
        TokenFolder(folder, ManyTokens.fingerprint)


def test_a_split_that_is_not_there_is_named(folder):
    with pytest.raises(DataError, match="has no test tokens"):
        TokenFolder(folder).tokens("test")


def test_a_folder_without_data_is_named(tmp_path):
    with pytest.raises(DataError, match=r"holds no prepared data: there is no manifest\.json; run `cutaway prepare`"):
        TokenFolder(tmp_path)


def test_whole_data_is_found_whole(folder):
    data = TokenFolder(folder)
    assert list(data.verify()) == [shard.file for shard in data.manifest.shards]


def test_a_truncated_shard_is_refused_when_the_data_is_opened(folder):
    path = folder / "train-00001-00000.bin"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(DataError, match=r"train-00001-00000\.bin is truncated"):
        TokenFolder(folder).tokens("train")


def test_an_altered_shard_is_found_by_its_checksum(folder):
    path = folder / "train-00001-00000.bin"
    path.write_bytes(path.read_bytes()[:-2] + b"\0\0")
    with pytest.raises(DataError, match=r"train-00001-00000\.bin was altered"):
        list(TokenFolder(folder).verify())


def test_a_shard_in_the_place_of_another_is_noticed(folder):
    (folder / "train-00001-00000.bin").write_bytes((folder / "train-00002-00000.bin").read_bytes())
    with pytest.raises(DataError, match="is not the file that the manifest lists"):
        list(TokenFolder(folder).verify())
    with pytest.raises(DataError, match="is not the file that the manifest lists"):
        TokenFolder(folder).tokens("train")
