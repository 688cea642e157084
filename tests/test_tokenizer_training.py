from collections import Counter
from itertools import pairwise

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers, trainers

from cutaway.errors import TokenizerError
from cutaway.tokenizer.byte_alphabet import BYTE_ORDER, to_piece
from cutaway.tokenizer.split import split
from cutaway.tokenizer.training import count_chunks, learn_merges

TEXT = (
    "the cat sat on the mat; the rat sat on the hat. \u201cThat fat cat,\u201d said the rat, \u201csat there!\u201d\n"
    "Then they thought that the other three cats thought otherwise, and so on, and so on, and so forth.\n"
)


def learn_as_in_the_textbook(texts, n_merges):
    """Count every pair anew before each merge."""
    order = {byte: i for i, byte in enumerate(BYTE_ORDER)}
    chunks = [[order[byte] for byte in chunk.encode()] for text in texts for chunk in split(text)]
    tokens = [bytes([byte]) for byte in BYTE_ORDER]
    merges = []
    while len(merges) < n_merges:
        counts = Counter(pair for chunk in chunks for pair in pairwise(chunk))
        if not counts:
            break
        pair = min(counts, key=lambda pair: (-counts[pair], pair))
        chunks = [join(chunk, pair, len(tokens)) for chunk in chunks]
        merges.append((tokens[pair[0]], tokens[pair[1]]))
        tokens.append(tokens[pair[0]] + tokens[pair[1]])
    return merges


def join(ids, pair, into):
    joined = []
    for i in ids:
        if joined and (joined[-1], i) == pair:
            joined[-1] = into
        else:
            joined.append(i)
    return joined


def test_the_most_frequent_pair_is_learned_first():
    assert learn_merges(["abab abab xabab"], 2) == [(b"a", b"b"), (b"ab", b"ab")]


def test_of_equally_frequent_pairs_the_one_with_lower_ids_goes_first():
    assert learn_merges(["zy ba"], 2) == [(b"b", b"a"), (b"z", b"y")]


def test_training_is_the_textbooks():
    assert learn_merges([TEXT, "ééé 日本日本 👍👍"], 60) == learn_as_in_the_textbook([TEXT, "ééé 日本日本 👍👍"], 60)


@given(st.lists(st.text("aab \n", max_size=25), max_size=4))
def test_training_is_the_textbooks_on_overlapping_runs(texts):
    expected = learn_as_in_the_textbook(texts, 30)
    assert learn_merges(texts, len(expected)) == expected


def test_training_agrees_with_hugging_faces_trainer():
    texts = [TEXT] * 3 + [TEXT.upper()]
    theirs = tokenizers.Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=256 + 100, initial_alphabet=alphabet, show_progress=False)
    theirs.train_from_iterator(texts, trainer)
    learned = theirs.get_vocab()
    ours = [left + right for left, right in learn_merges(texts, 100)]
    assert [to_piece(token) for token in ours] == sorted(learned, key=learned.__getitem__)[256:]


def test_each_merge_makes_a_new_token():
    made = [left + right for left, right in learn_merges([TEXT], 58)]
    assert len(set(made)) == 58


def test_chunks_are_counted_over_all_texts():
    assert count_chunks(["a b", "c b b"]) == {"a": 1, " b": 3, "c": 1}


def test_too_little_text_says_how_many_merges_it_has():
    with pytest.raises(TokenizerError, match="teach only 2 merges, not 5"):
        learn_merges(["abc"], 5)


def test_no_merges_need_no_text():
    assert learn_merges([], 0) == []
