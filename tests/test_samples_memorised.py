"""What is copied is found exactly, wherever blocks are cut: held to a search that tries everything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import DataError
from cutaway.samples import memorised
from cutaway.samples.automaton import ROOT, SuffixAutomaton
from cutaway.samples.memorised import Block, hash_runs, stretches

TOKENS = st.lists(st.integers(0, 2), max_size=25)


def occurs(part, data):
    return any(data[i : i + len(part)] == part for i in range(len(data) - len(part) + 1))


def longest_ending(text, end, sources):
    """The longest part of a text up to `end` that stands in one of the sources, by trying all."""
    return max(
        (length for length in range(1, end + 1) if any(occurs(text[end - length : end], data) for data in sources)),
        default=0,
    )


def blocks_of(sources, size):
    for number, data in enumerate(sources):
        for start in range(0, len(data), size):
            yield Block(f"source {number}", np.array(data[start : start + size], np.int64))


@given(st.lists(TOKENS, min_size=1, max_size=3), st.lists(TOKENS, max_size=3), st.integers(2, 4), st.integers(1, 9))
def test_share_longest_and_passages_are_those_of_a_search_that_tries_everything(texts, sources, n, size):
    found = memorised(texts, blocks_of(sources, size), n, most=100)
    ends = [longest_ending(text, end, sources) for text in texts for end in range(1, len(text) + 1)]
    runs = sum(max(0, len(text) - n + 1) for text in texts)
    assert found.share == (sum(length >= n for length in ends) / runs if runs else 0)
    assert found.longest == max((length for length in ends if length >= n), default=0)
    assert found.data_tokens == sum(map(len, sources))
    for passage in found.passages:
        text, data = texts[passage.sample], sources[int(passage.source.split()[1])]
        part = text[passage.start : passage.start + passage.length]
        assert data[passage.offset : passage.offset + passage.length] == part
        assert len(part) == passage.length >= n


@given(st.lists(TOKENS, min_size=1, max_size=3), TOKENS)
def test_the_automaton_follows_a_stream_by_the_longest_common_end(texts, stream):
    automaton, state, matched = SuffixAutomaton(texts), ROOT, 0
    for end, token in enumerate(stream, 1):
        state, matched = automaton.step(state, matched, token)
        assert matched == longest_ending(stream, end, texts)


@given(TOKENS, st.integers(1, 5))
def test_equal_runs_have_equal_hashes_and_others_have_not(tokens, n):
    hashes = hash_runs(np.array(tokens, np.int64), n) if len(tokens) >= n else []
    runs = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    assert len(set(map(int, hashes))) == len(set(runs))


def test_stretches_are_neighbours():
    assert list(stretches(np.array([1, 2, 3, 7, 9, 10]))) == [(1, 3), (7, 7), (9, 10)]
    assert list(stretches(np.array([], int))) == []


def test_a_passage_that_crosses_many_blocks_is_found_whole():
    data = np.random.default_rng(0).integers(0, 50_000, 1000).tolist()
    found = memorised([[5, *data[100:400], 6]], blocks_of([data], 7), 8)
    assert found.longest == 300
    assert (found.passages[0].start, found.passages[0].offset) == (1, 100)


def test_a_run_does_not_reach_from_one_source_into_the_next():
    assert memorised([[1, 2, 3, 4]], blocks_of([[1, 2], [3, 4]], 9), 2).longest == 2


def test_passages_do_not_overlap_and_the_longest_come_first():
    text = [1, 2, 3, 4, 5, 6]
    found = memorised([text], blocks_of([[1, 2, 3, 4], [3, 4, 5, 6, 9], [9, 5, 6, 9]], 99), 2, most=9)
    assert [(passage.start, passage.length) for passage in found.passages] == [(0, 4)]


def test_what_cannot_be_searched_is_refused():
    with pytest.raises(DataError, match="runs of 1 tokens are too short"):
        memorised([[1]], [], 1)
    with pytest.raises(DataError, match="300,000 tokens of samples are more than 250,000"):
        memorised([[1] * 300_000], [], 8)
