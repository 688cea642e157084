import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cutaway.tokenizer
from cutaway.errors import TokenizerError
from cutaway.tokenizer import Tokenizer, Vocabulary

GPT2 = Tokenizer.gpt2()
SMALL = Tokenizer(Vocabulary.from_merges([(b"a", b"b")], ["<|x|>", "<|x|>y"]))

PUBLISHED = {
    "Hello World. This is Agney": [15496, 2159, 13, 770, 318, 2449, 1681],
    "Agney loves to train DL models": [10262, 1681, 10408, 284, 4512, 23641, 4981],
    "The CS123 class was very intresting. I learned a lot.": (
        [464, 9429, 10163, 1398, 373, 845, 493, 2118, 278, 13, 314, 4499, 257, 1256, 13]
    ),
    "The dog": [464, 3290],
    "<|endoftext|>": [27, 91, 437, 1659, 5239, 91, 29],
}


@pytest.mark.parametrize("text", PUBLISHED)
def test_published_ids(text):
    assert GPT2.encode(text) == PUBLISHED[text]


def test_a_leading_space_makes_another_token():
    assert GPT2.encode(" Hello World. This is Agney")[0] == 18435
    assert GPT2.encode("agney loves")[0] == 363


def test_pieces_show_spaces_and_newlines():
    ids = PUBLISHED["Agney loves to train DL models"]
    assert GPT2.pieces(ids) == ["Ag", "ney", "Ġloves", "Ġto", "Ġtrain", "ĠDL", "Ġmodels"]
    assert [GPT2.id_of(piece) for piece in GPT2.pieces(ids)] == ids
    assert GPT2.piece(198) == "Ċ"
    assert GPT2.piece(50256) == "<|endoftext|>"
    assert GPT2.id_of("<|endoftext|>") == 50256


@given(st.text())
def test_every_text_comes_back(text):
    assert GPT2.decode(GPT2.encode(text)) == text


@given(st.text())
def test_every_text_comes_back_with_a_vocabulary_that_learned_nothing_like_it(text):
    assert SMALL.decode(SMALL.encode(text)) == text


@given(st.binary(max_size=40))
def test_any_bytes_can_be_decoded(content):
    ids = [GPT2.vocabulary.ids[bytes([byte])] for byte in content]
    assert GPT2.decode_bytes(ids) == content
    assert GPT2.decode(ids) == content.decode(errors="replace")


def test_empty_text_has_no_ids():
    assert GPT2.encode("") == []
    assert GPT2.encode("", allowed_special="all") == []
    assert GPT2.decode([]) == ""
    assert GPT2.offsets("", []) == []
    assert GPT2.explain("") == []


def test_sizes_and_names():
    assert GPT2.n_vocab == len(GPT2) == 50257
    assert GPT2.eot == 50256
    assert GPT2.special_tokens == {"<|endoftext|>": 50256}
    assert SMALL.eot is None
    assert repr(GPT2) == "Tokenizer(n_vocab=50257, special_tokens=['<|endoftext|>'])"


def test_special_tokens_are_ordinary_text_unless_allowed():
    text = "a<|endoftext|>b"
    assert 50256 not in GPT2.encode(text)
    assert GPT2.decode(GPT2.encode(text)) == text
    assert GPT2.encode(text, allowed_special="all") == [64, 50256, 65]
    assert GPT2.encode(text, allowed_special={"<|endoftext|>"}) == [64, 50256, 65]


def test_only_the_allowed_special_token_counts():
    x, xy = SMALL.special_tokens.values()
    assert SMALL.encode("<|x|>y<|x|>", allowed_special="all") == [xy, x]
    assert SMALL.encode("<|x|>y", allowed_special=["<|x|>"]) == [x, SMALL.id_of("y")]
    assert SMALL.encode("<|x|>", allowed_special=["<|x|>y"]) == SMALL.encode("<|x|>")


def test_text_around_a_special_token_is_cut_as_if_alone():
    text = "end  <|endoftext|> start"
    expected = [*GPT2.encode("end  "), 50256, *GPT2.encode(" start")]
    assert GPT2.encode(text, allowed_special="all") == expected


def test_an_unknown_special_token_is_named():
    with pytest.raises(TokenizerError, match=r"no special token '<\|end\|>'"):
        GPT2.encode("x", allowed_special={"<|end|>"})
    with pytest.raises(TokenizerError, match="must be 'all' or a set"):
        GPT2.encode("x", allowed_special="<|endoftext|>")


def test_a_batch_is_each_text_encoded():
    texts = ["Hello", "", "a<|endoftext|>", "日本語"] * 5
    assert GPT2.encode_batch(texts) == [GPT2.encode(text) for text in texts]
    assert GPT2.encode_batch(texts, allowed_special="all", threads=2)[2] == [64, 50256]
    assert GPT2.encode_batch([]) == []
    with pytest.raises(TokenizerError, match="takes a list of texts"):
        GPT2.encode_batch("Hello")
    with pytest.raises(TokenizerError, match="threads=0 must be at least 1"):
        GPT2.encode_batch(["Hello"], threads=0)


@pytest.mark.parametrize("call", [GPT2.encode, GPT2.explain, lambda text: GPT2.offsets(text, [])])
def test_a_lone_surrogate_is_refused_with_its_place(call):
    with pytest.raises(TokenizerError, match=r"lone surrogate '\\ud83d' at position 3.*replace"):
        call("abc\ud83d")


@pytest.mark.parametrize("text", [b"bytes", None, 5, ["a"]])
def test_what_is_not_text_is_refused(text):
    with pytest.raises(TokenizerError, match=f"must be a str, not {type(text).__name__}"):
        GPT2.encode(text)


@pytest.mark.parametrize("token", [-1, 50257, 10**30])
def test_an_id_out_of_range_is_named_with_the_size(token):
    for call in (lambda: GPT2.decode([15496, token]), lambda: GPT2.piece(token), lambda: GPT2.stream().push(token)):
        with pytest.raises(TokenizerError, match=rf"token id {token} is out of range; n_vocab=50257"):
            call()


@pytest.mark.parametrize("token", [1.0, "1", None])
def test_what_is_not_an_id_is_refused(token):
    with pytest.raises(TokenizerError, match="is not a token id"):
        GPT2.decode([token])


def test_numpy_ids_decode():
    assert GPT2.decode(np.array(PUBLISHED["The dog"], dtype=np.uint16)) == "The dog"


def test_an_unknown_piece_is_answered_with_the_nearest():
    with pytest.raises(TokenizerError, match=r"no token ' to'; did you mean 'Ġto'\?"):
        GPT2.id_of(" to")
    with pytest.raises(TokenizerError, match="no token 'Agney'; did you mean '"):
        GPT2.id_of("Agney")
    with pytest.raises(TokenizerError, match="encode the text"):
        SMALL.id_of("日本語")


def test_an_explanation_has_every_chunk_and_ends_in_the_ids():
    text = "Agney loves\n\ntraining"
    chunks = GPT2.explain(text)
    assert [chunk.text for chunk in chunks] == ["Agney", " loves", "\n", "\n", "training"]
    assert [i for chunk in chunks for i in chunk.ids] == GPT2.encode(text)
    assert chunks[0].steps[-1].after == (b"Ag", b"ney")
    assert chunks[2].steps == ()


def test_training_gives_the_vocabulary_that_was_asked_for():
    tokenizer = Tokenizer.train(["abab abab", "ababab abcd"], 261)
    assert (tokenizer.n_vocab, tokenizer.eot) == (261, 260)
    assert tokenizer.pieces([256, 257]) == ["ab", "abab"]
    assert tokenizer.encode("abab") == [257]
    assert Tokenizer.train([], 257).encode("a\n") == [64, 198]


@pytest.mark.parametrize("vocab_size", [256, 0, -1])
def test_a_vocabulary_smaller_than_the_bytes_is_refused(vocab_size):
    with pytest.raises(TokenizerError, match=f"vocab_size={vocab_size} is too small"):
        Tokenizer.train(["text"], vocab_size)


def test_tokenizers_are_equal_by_their_vocabulary():
    assert Tokenizer.gpt2() == GPT2 != SMALL
    assert hash(Tokenizer.gpt2()) == hash(GPT2)
    assert Tokenizer.gpt2().fingerprint == GPT2.fingerprint != SMALL.fingerprint
    assert GPT2 != "gpt2"


def test_a_tokenizer_can_be_sent_to_another_process():
    GPT2.encode("built")
    copy = pickle.loads(pickle.dumps(GPT2))
    assert copy == GPT2
    assert copy.encode("The dog") == [464, 3290]


def test_decoding_loads_no_encoder_and_encoding_no_torch():
    program = (
        "import sys; from cutaway.tokenizer import Tokenizer; t = Tokenizer.gpt2(); t.decode([464]);"
        "assert not {'tiktoken', 'regex', 'torch'} & sys.modules.keys(), sys.modules.keys();"
        "t.encode('The'); assert not {'numpy', 'torch', 'transformers'} & sys.modules.keys()"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_public_names_are_exact():
    public = {"END_OF_TEXT", "AnyTokenizer", "CharTokenizer", "ChunkExplanation", "MergeStep", "StreamDecoder"}
    public |= {"Tokenizer", "Vocabulary", "open_tokenizer"}
    assert set(cutaway.tokenizer.__all__) == public
    assert all(hasattr(cutaway.tokenizer, name) for name in public)


def test_a_prompt_is_encoded_without_building_the_fast_encoder_and_much_text_with_it():
    code = (
        "import sys; from cutaway.tokenizer import Tokenizer; tokenizer = Tokenizer.gpt2();"
        "prompt = tokenizer.encode('The dog'); print(prompt, *(name in sys.modules for name in ('tiktoken', 'regex')));"
        "text = 'The dog' * 500; print(tokenizer.encode(text) == prompt * 500, 'tiktoken' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[464, 3290] False False", "True True"]


@given(st.lists(st.text(max_size=300), max_size=8))
def test_ids_do_not_depend_on_how_much_was_encoded_before(texts):
    fresh, used = Tokenizer(GPT2.vocabulary), Tokenizer(GPT2.vocabulary)
    used.encode("x" * 2000)
    assert [fresh.encode(text) for text in texts] == [used.encode(text) for text in texts]
