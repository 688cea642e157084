import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.data import Batches, SequentialBatches, Tokens
from cutaway.data.batches import WindowStream
from cutaway.errors import ConfigError, DataError


def row_of(n, **more):
    return Tokens.of(np.arange(n, dtype=np.uint32), **more)


def test_a_batch_depends_on_seed_and_step_alone():
    def rows(seed, step):
        return Batches([(row_of(1000), 4)], 16, seed)[step].inputs.tolist()

    straight = Batches([(row_of(1000), 4)], 16, 7)
    in_order = [straight[step].inputs.tolist() for step in range(30)]
    assert in_order[::-1] == [rows(7, step) for step in reversed(range(30))]
    assert rows(7, 3) != rows(8, 3)
    assert rows(7, 3) != rows(7, 4)


def test_the_order_is_the_same_for_ever():
    # Figures, not another instance: a change of the order would make every resumed run see other data.
    batches = Batches([(row_of(100), 3)], 8, 42)
    assert [batches[step].inputs[:, 0].tolist() for step in (0, 1, 1000)] == [[83, 19, 3], [43, 67, 27], [74, 2, 58]]


@pytest.mark.parametrize("world_size", [1, 2, 3, 6])
@pytest.mark.parametrize("step", [0, 5, 77])
def test_all_processes_together_see_the_batch_of_one(world_size, step):
    sources = [(row_of(500), 4), (row_of(300), 2)]
    whole = Batches(sources, 8, 1)[step]
    parts = [Batches(sources, 8, 1, rank=rank, world_size=world_size)[step] for rank in range(world_size)]
    assert np.concatenate([part.inputs for part in parts]).tolist() == whole.inputs.tolist()
    assert np.concatenate([part.targets for part in parts]).tolist() == whole.targets.tolist()


@given(n=st.integers(2, 300), block_size=st.integers(1, 40), seed=st.integers(0, 99), epoch=st.integers(0, 3))
def test_an_epoch_covers_its_stretch_of_the_text_once(n, block_size, seed, epoch):
    if n <= block_size:
        n += block_size
    stream = WindowStream(row_of(n), block_size, seed)
    starts = sorted(stream.start(epoch * stream.windows + place) for place in range(stream.windows))
    assert starts == [starts[0] + i * block_size for i in range(stream.windows)]
    assert starts[0] >= 0
    assert starts[-1] + block_size + 1 <= n
    assert n - 1 - stream.windows * block_size < 2 * block_size


def test_each_epoch_has_its_own_order_and_cuts():
    stream = WindowStream(row_of(1000), 10, 0)
    epochs = [tuple(stream.start(epoch * stream.windows + i) for i in range(stream.windows)) for epoch in range(8)]
    assert len(set(epochs)) == 8
    assert len({min(epoch) for epoch in epochs}) > 3


def test_every_source_has_its_rows_in_each_batch():
    low, high = row_of(200), Tokens.of(np.arange(1000, 1400, dtype=np.uint16))
    batches = Batches([(low, 3), (high, 2)], 10, 0)
    for step in range(40):
        assert (batches[step].inputs[:, 0] >= 1000).tolist() == [False, False, False, True, True]


def test_two_sources_are_not_shuffled_alike():
    batches = Batches([(row_of(400), 1), (row_of(400), 1)], 8, 0)
    assert any(batches[step].inputs[0, 0] != batches[step].inputs[1, 0] for step in range(5))


def test_targets_are_the_tokens_that_follow():
    batch = Batches([(row_of(100), 2)], 8, 0)[0]
    assert batch.inputs.shape == batch.targets.shape == (2, 8)
    assert batch.inputs.dtype == batch.targets.dtype == np.int64
    assert (batch.targets == batch.inputs + 1).all()
    assert batch.documents is batch.positions is None


def test_documents_are_numbered_and_their_positions_start_again():
    ids = np.array([5, 6, 99, 7, 99, 8, 9, 10, 99, 1], np.uint16)
    tokens = Tokens.of(ids, ends=[3, 5, 9], eot=99)
    (batch,) = SequentialBatches(tokens, 9, 1, by_document=True)
    assert batch.inputs.tolist() == [[5, 6, 99, 7, 99, 8, 9, 10, 99]]
    assert batch.documents.tolist() == [[0, 0, 1, 1, 2, 2, 2, 2, 3]]
    assert batch.positions.tolist() == [[0, 1, 0, 1, 0, 1, 2, 3, 0]]


def test_documents_of_a_vocabulary_without_separator_are_told_apart_too():
    tokens = Tokens.of(np.array([5, 6, 7, 8, 9, 1], np.uint16), ends=[2, 3])
    (batch,) = SequentialBatches(tokens, 5, 1, by_document=True)
    assert batch.documents.tolist() == [[0, 0, 1, 2, 2]]
    assert batch.positions.tolist() == [[0, 1, 0, 0, 1]]


def test_a_shuffled_batch_knows_its_documents_too():
    ids = np.arange(200, dtype=np.uint16)
    ids[6::7] = 999
    tokens = Tokens.of(ids, ends=np.arange(7, 200, 7), eot=999)
    batch = Batches([(tokens, 3)], 20, 5, by_document=True)[2]
    starts = batch.inputs == 999
    assert (batch.documents == np.cumsum(starts, axis=1)).all()
    assert (batch.positions[starts] == 0).all()


@given(n=st.integers(2, 200), block_size=st.integers(1, 20), batch_size=st.integers(1, 5))
def test_validation_predicts_every_token_but_the_first_once(n, block_size, batch_size):
    batches = SequentialBatches(row_of(n), block_size, batch_size)
    targets = [token for batch in batches for token in batch.targets.ravel().tolist()]
    assert targets == list(range(1, n))
    assert len(batches) == sum(1 for _ in batches)
    assert all(len(batch.inputs) <= batch_size for batch in batches)


@pytest.mark.parametrize("world_size", [1, 2, 5])
def test_processes_share_the_validation_batches(world_size):
    parts = [SequentialBatches(row_of(103), 10, 2, rank=rank, world_size=world_size) for rank in range(world_size)]
    targets = [token for part in parts for batch in part for token in batch.targets.ravel().tolist()]
    assert sorted(targets) == list(range(1, 103))


def test_a_block_longer_than_the_text_is_refused():
    with pytest.raises(DataError, match="block_size=64 needs at least 65 tokens, and there are 64; lower it, or add"):
        Batches([(row_of(64), 1)], 64, 0)


def test_the_shortest_possible_text_is_one_window():
    assert Batches([(row_of(65), 1)], 64, 0)[9].inputs.tolist() == [list(range(64))]


def test_there_is_no_step_before_the_first():
    with pytest.raises(IndexError, match="step=-1"):
        Batches([(row_of(100), 1)], 8, 0)[-1]


def test_nothing_to_predict_is_refused():
    with pytest.raises(DataError, match="1 tokens leave nothing to predict"):
        SequentialBatches(row_of(1), 8, 1)


@pytest.mark.parametrize(
    ("rows", "rank", "world_size", "message"),
    [
        (5, 0, 2, "a batch of 5 rows does not divide evenly among 2 processes"),
        (4, 2, 2, "rank=2 is out of range"),
        (4, 0, 0, "world_size=0 is out of range"),
        (0, 0, 1, "the batch size=0 is out of range"),
    ],
)
def test_processes_that_cannot_share_the_rows_are_refused(rows, rank, world_size, message):
    with pytest.raises(ConfigError, match=message):
        Batches([(row_of(100), rows)], 8, 0, rank=rank, world_size=world_size)
