from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import TokenizerError
from cutaway.tokenizer import bpe
from cutaway.tokenizer.gpt2 import VOCAB_BPE, gpt2_vocabulary, known_merges
from cutaway.tokenizer.merge_list import parse_merges
from cutaway.tokenizer.vocabulary import Vocabulary

RANKS = {(b"l", b"o"): 0, (b"lo", b"w"): 1, (b"e", b"r"): 2, (b"low", b"er"): 3, (b"o", b"w"): 4}


def merge_as_on_paper(chunk, ranks):
    """The definition, without any bookkeeping: join the leftmost best pair until none is left."""
    parts = [bytes([byte]) for byte in chunk]
    while known := [(ranks[pair], at) for at, pair in enumerate(pairwise(parts)) if pair in ranks]:
        at = min(known)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def test_the_textbook_word_merges_in_order():
    assert bpe.merge(b"lower", RANKS) == [b"lower"]
    assert bpe.merge(b"slow ow", RANKS) == [b"s", b"low", b" ", b"ow"]


@given(st.binary(max_size=60))
def test_merging_is_the_definition_on_any_bytes(chunk):
    ranks = gpt2_vocabulary().ranks
    assert bpe.merge(chunk, ranks) == merge_as_on_paper(chunk, ranks)


@given(st.text("aehlnort -=*", max_size=80))
def test_merging_is_the_definition_on_english_letters(text):
    ranks = gpt2_vocabulary().ranks
    assert bpe.merge(text.encode(), ranks) == merge_as_on_paper(text.encode(), ranks)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["a", "b", "ab", "ba", "aa"])), max_size=4, unique=True),
    st.text("ab", max_size=30),
)
def test_merging_is_the_definition_with_merges_in_any_order(pairs, text):
    ranks = {(left.encode(), right.encode()): rank for rank, (left, right) in enumerate(pairs)}
    assert bpe.merge(text.encode(), ranks) == merge_as_on_paper(text.encode(), ranks)


@given(st.text(max_size=30))
def test_the_explanation_ends_in_the_tokens_and_each_step_follows_from_the_last(text):
    ranks = gpt2_vocabulary().ranks
    steps = bpe.explain(text.encode(), ranks)
    parts = tuple(bytes([byte]) for byte in text.encode())
    for step in steps:
        assert step.before == parts
        assert step.rank == ranks[step.pair] == min(ranks[pair] for pair in pairwise(parts) if pair in ranks)
        assert step.pair in pairwise(parts)
        assert step.pair not in pairwise(step.after)
        assert b"".join(step.after) == text.encode()
        parts = step.after
    assert list(parts) == bpe.merge(text.encode(), ranks)


def test_a_step_joins_a_pair_wherever_it_occurs_from_the_left():
    (step,) = bpe.explain(b"aaaaa", {(b"a", b"a"): 7})
    assert step.after == (b"aa", b"aa", b"a")
    assert (step.pair, step.rank) == ((b"a", b"a"), 7)


def test_a_chunk_too_long_to_read_is_not_explained():
    with pytest.raises(TokenizerError, match=r"2,001 bytes in one chunk .* the most is 2,000"):
        bpe.explain(b"a" * 2001, RANKS)


def test_encoding_uses_the_ids_of_the_vocabulary():
    vocabulary = Vocabulary.from_merges([(b"l", b"o"), (b"lo", b"w")])
    assert bpe.encode("low", vocabulary) == [257]
    assert bpe.decode([257, 256], vocabulary) == "lowlo"


def test_a_long_run_of_one_letter_takes_no_quadratic_time():
    # By definition the run would be searched 75,000 times from its start.
    parts = bpe.merge(b"a" * 100_000, gpt2_vocabulary().ranks)
    assert parts == [b"aaaa"] * 25_000


def test_openais_list_is_read_quickly_as_it_is_read_with_suspicion():
    content = VOCAB_BPE.read_bytes()
    assert known_merges(content) == parse_merges(content.decode().splitlines(), source="the file")
