import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.data.shard import HEADER_BYTES, Shard, VocabularyStamp, read_header, token_dtype, write_shard
from cutaway.errors import DataError

STAMP = VocabularyStamp(n_vocab=300, fingerprint="ab" * 32)


def some_shard(folder):
    path = folder / "train-00000-00000.bin"
    write_shard(path, np.arange(50, dtype=np.uint16), np.array([20, 45], np.uint64), STAMP)
    return path


@given(
    n_vocab=st.sampled_from([2, 257, 1 << 16, (1 << 16) + 1, 1 << 31]),
    numbers=st.lists(st.integers(0, (1 << 31) - 1), max_size=40),
    data=st.data(),
)
def test_what_is_written_is_read(tmp_path_factory, n_vocab, numbers, data):
    tokens = np.array([number % n_vocab for number in numbers], token_dtype(n_vocab))
    ends = data.draw(st.sets(st.integers(1, len(tokens)))) if len(tokens) else set()
    path = tmp_path_factory.mktemp("shards") / "shard.bin"
    stamp = VocabularyStamp(n_vocab=n_vocab, fingerprint="01" * 32)
    write_shard(path, tokens, np.array(sorted(ends), np.uint64), stamp)

    shard = Shard(path, stamp.fingerprint)
    shard.verify()
    assert shard.tokens.tolist() == tokens.tolist()
    assert shard.ends.tolist() == sorted(ends)
    assert (len(shard), shard.header.n_vocab, shard.header.n_documents) == (len(tokens), n_vocab, len(ends))


@pytest.mark.parametrize(("n_vocab", "size"), [(2, 2), (1 << 16, 2), ((1 << 16) + 1, 4)])
def test_a_token_takes_two_bytes_where_they_suffice(n_vocab, size):
    assert token_dtype(n_vocab).itemsize == size


def test_the_layout_is_the_one_in_the_description(tmp_path):
    content = some_shard(tmp_path).read_bytes()
    assert content.startswith(b"CUTAWAY\n")
    assert np.frombuffer(content, "<u8", count=2, offset=HEADER_BYTES).tolist() == [20, 45]
    assert np.frombuffer(content, "<u2", offset=HEADER_BYTES + 16).tolist() == list(range(50))


def test_the_checksum_returned_is_that_of_the_file(tmp_path):
    import hashlib

    path = tmp_path / "shard.bin"
    digest = write_shard(path, np.arange(9, dtype=np.uint16), np.array([9], np.uint64), STAMP)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_nothing_but_the_shard_is_left_in_the_folder(tmp_path):
    path = some_shard(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_tokens_are_mapped_and_cannot_be_written(tmp_path):
    shard = Shard(some_shard(tmp_path))
    with pytest.raises(ValueError, match="read-only"):
        shard.tokens[0] = 1


def test_another_vocabulary_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"another vocabulary \(abababababab…, 300 tokens\)"):
        Shard(some_shard(tmp_path), "cd" * 32)


@pytest.mark.parametrize("kept", [0, 3])
def test_what_is_hardly_there_is_no_shard(tmp_path, kept):
    path = some_shard(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match="is not a token shard"):
        Shard(path)


@pytest.mark.parametrize("kept", [8, 127, 128, 140, 200])
def test_a_truncated_shard_is_refused(tmp_path, kept):
    path = some_shard(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match="is truncated"):
        Shard(path)


def test_a_shard_with_something_after_it_is_refused(tmp_path):
    path = some_shard(tmp_path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(DataError, match="was altered: 245 bytes instead of 244"):
        Shard(path)


@given(place=st.integers(0, 243), flip=st.integers(1, 255))
def test_one_altered_byte_is_noticed_wherever_it_is(tmp_path_factory, place, flip):
    path = some_shard(tmp_path_factory.mktemp("shards"))
    content = bytearray(path.read_bytes())
    content[place] ^= flip
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"altered|not a token shard|format version"):
        Shard(path).verify()


def test_a_header_that_claims_more_than_there_is_reserves_no_memory(tmp_path):
    path = some_shard(tmp_path)
    header = read_header(path)
    lying = type(header)(**{**vars(header), "n_tokens": 1 << 60})
    path.write_bytes(lying.pack() + path.read_bytes()[HEADER_BYTES:])
    with pytest.raises(DataError, match="is truncated"):
        Shard(path)


def test_another_version_is_refused(tmp_path):
    path = some_shard(tmp_path)
    content = bytearray(path.read_bytes())
    content[8] = 9
    path.write_bytes(content)
    with pytest.raises(DataError, match="format version 9, this program reads 1"):
        Shard(path)


def test_an_id_outside_the_vocabulary_is_noticed(tmp_path):
    path = tmp_path / "shard.bin"
    write_shard(path, np.array([1, 300], np.uint16), np.array([], np.uint64), STAMP)
    with pytest.raises(DataError, match="holds id 300, but the vocabulary has 300 tokens"):
        Shard(path).verify()


@pytest.mark.parametrize("ends", [[3, 3], [4, 2], [11]])
def test_document_ends_out_of_order_are_noticed(tmp_path, ends):
    path = tmp_path / "shard.bin"
    write_shard(path, np.arange(10, dtype=np.uint16), np.array(ends, np.uint64), STAMP)
    with pytest.raises(DataError, match="document ends that are out of order"):
        Shard(path).verify()


def test_a_missing_shard_is_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*gone\.bin: No such file"):
        Shard(tmp_path / "gone.bin")
