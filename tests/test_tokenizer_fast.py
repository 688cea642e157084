import json
import random

import pytest
import tiktoken
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st
from tiktoken_ext.openai_public import r50k_pat_str

from cutaway.tokenizer import END_OF_TEXT, Tokenizer, Vocabulary, bpe
from cutaway.tokenizer.byte_alphabet import BYTE_ORDER
from cutaway.tokenizer.fast import FastEncoder, is_exact_for
from cutaway.tokenizer.gpt2 import gpt2_vocabulary
from cutaway.tokenizer.tokenizer_json import describe
from cutaway.tokenizer.training import learn_merges

GPT2 = Tokenizer.gpt2()
BYTES = tuple(bytes([byte]) for byte in BYTE_ORDER)

ODDITIES = [
    "",
    "\x00\x01\x1c\x1f\x7f\x85\xa0",
    "don't DON'T we'll 'sit ' s",
    "e\u0301\u0323 \u0e01\u0e33 \u1100\u1161 \u202bשלום\u202c",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇨🇭",
    "漢字かな交じり文。한국어",
    "x \n\n\t  y\r\n \u3000z  ",
    "١٢٣ ⅷ ² 1,000.5e-3",
    "<|endoftext|> <|endoftext|",
    "\U000323b0\ua7ce\U00011de0\U0010ffff\ufffe\ue000",
]
MIXTURE = st.lists(
    st.one_of(st.text(max_size=8), st.sampled_from(ODDITIES), st.text(" \n\t\r\u3000'sredtvml0", max_size=12)),
    max_size=6,
).map("".join)


def shuffled(vocabulary, seed=0):
    """The same merges with the ids dealt out anew."""
    tokens = list(vocabulary.tokens)
    random.Random(seed).shuffle(tokens)
    special = {text: tokens.index(text.encode()) for text in vocabulary.special_tokens}
    return Vocabulary(vocabulary.merges, tuple(tokens), special)


@pytest.fixture(scope="module")
def openais():
    """tiktoken's own GPT-2, with its own pattern."""
    return tiktoken.Encoding(
        "gpt2",
        pat_str=r50k_pat_str,
        mergeable_ranks=GPT2.vocabulary.ids,
        special_tokens={END_OF_TEXT: 50256},
        explicit_n_vocab=50257,
    )


@pytest.fixture(scope="module")
def hugging_faces():
    """The `tokenizers` library with the document that `save` writes, less the special token it would see in text."""
    return tokenizers.Tokenizer.from_str(json.dumps({**describe(GPT2.vocabulary), "added_tokens": []}))


@pytest.mark.parametrize("text", ODDITIES)
def test_all_encoders_agree_on_oddities(text, openais, hugging_faces):
    ids = GPT2.encode(text)
    assert ids == bpe.encode(text, GPT2.vocabulary)
    assert ids == openais.encode(text, disallowed_special=())
    assert ids == hugging_faces.encode(text).ids


@given(text=MIXTURE)
def test_all_encoders_agree_on_any_text(text, openais, hugging_faces):
    ids = GPT2.encode(text)
    assert ids == bpe.encode(text, GPT2.vocabulary)
    assert ids == openais.encode(text, disallowed_special=())
    assert ids == hugging_faces.encode(text).ids
    assert GPT2.decode(ids) == bpe.decode(ids, GPT2.vocabulary) == openais.decode(ids) == text


@pytest.mark.parametrize(
    "line",
    ["a" * 10**6, " " * 10**6 + "a", "\n " * 500_000 + "x", "é" * 500_000],
    ids=["letter", "spaces", "blank-lines", "two-byte"],
)
def test_a_line_of_a_megabyte_encodes_and_decodes(line):
    assert GPT2.decode(GPT2.encode(line)) == line


def test_a_line_of_a_megabyte_has_the_readable_encoders_ids():
    line = "=" * 20_000 + " " * 960_000 + "a" * 20_000
    assert GPT2.encode(line) == bpe.encode(line, GPT2.vocabulary)


@given(text=st.text("aber \n<|>", max_size=40), seed=st.integers(0, 3))
@example(text="barbarab abba", seed=0)
def test_ids_that_do_not_follow_the_merges_are_mapped(text, seed):
    merges = learn_merges(["barbara's rabarber bar, abba, abracadabra \n\n barber"], 12)
    vocabulary = shuffled(Vocabulary.from_merges(merges), seed)
    assert is_exact_for(vocabulary)
    assert FastEncoder(vocabulary).encode(text) == bpe.encode(text, vocabulary)


def test_ids_that_start_with_the_special_tokens_need_no_map():
    ordinary = Vocabulary.from_merges([(b"a", b"b"), (b"ab", b"c")], [])
    vocabulary = Vocabulary(ordinary.merges, (b"<s>", *ordinary.tokens), {"<s>": 0})
    assert FastEncoder(vocabulary).encode("abcab") == [258, 257]


def test_gpt2_merges_each_token_from_its_own_bytes():
    vocabulary = gpt2_vocabulary()
    assert is_exact_for(vocabulary)
    assert len(vocabulary.ids) == 256 + len(vocabulary.merges)
    sample = random.Random(1).sample(sorted(vocabulary.ids), 5000)
    assert all(bpe.merge(token, vocabulary.ranks) == [token] for token in sample)


@pytest.mark.parametrize(
    "merges",
    [
        [(b"b", b"c"), (b"a", b"b"), (b"ab", b"c")],  # "abc" becomes "a", "bc", which no merge joins
        [(b"a", b"b"), (b"b", b"c"), (b"ab", b"c"), (b"a", b"bc")],  # two merges make "abc"
    ],
)
def test_merges_that_tiktoken_would_take_otherwise_are_left_to_the_readable_encoder(merges):
    made = dict.fromkeys(left + right for left, right in merges)
    vocabulary = Vocabulary(tuple(merges), (*BYTES, *made), {})
    assert not is_exact_for(vocabulary)
    tokenizer = Tokenizer(vocabulary)
    for text in ["abc", "abcabc", "aabcc", "bcab"]:
        assert tokenizer.encode(text) == bpe.encode(text, vocabulary)
        assert tokenizer.decode(tokenizer.encode(text)) == text
