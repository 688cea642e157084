import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import TokenizerError
from cutaway.tokenizer import Tokenizer
from cutaway.tokenizer.characters import CharTokenizer, is_saved_in

TEXT = "Once upon a time 你好 😀\r\n\x00\x85"


@pytest.fixture
def tokenizer():
    return CharTokenizer.from_texts([TEXT, "and more"])


@given(text=st.text(min_size=1))
def test_any_text_it_was_made_from_comes_back(text):
    tokenizer = CharTokenizer.from_texts([text])
    ids = tokenizer.encode(text)
    assert len(ids) == len(text)
    assert set(ids) == set(range(tokenizer.n_vocab))
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode_bytes(ids) == text.encode()


def test_ids_follow_the_code_points():
    # As in nanoGPT's Shakespeare by characters: sorted, from 0.
    assert CharTokenizer.from_texts(["ba\nc"]).encode("\nabc") == [0, 1, 2, 3]


def test_a_saved_tokenizer_is_the_same_again(tokenizer, tmp_path):
    assert not is_saved_in(tmp_path)
    tokenizer.save(tmp_path / "new")
    assert is_saved_in(tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["characters.json"]
    again = CharTokenizer.from_folder(tmp_path / "new")
    assert again == tokenizer
    assert again.fingerprint == tokenizer.fingerprint
    assert hash(again) == hash(tokenizer)


def test_it_goes_to_another_process(tokenizer):
    assert pickle.loads(pickle.dumps(tokenizer)) == tokenizer


def test_other_characters_have_another_fingerprint():
    assert CharTokenizer("ab").fingerprint != CharTokenizer("abc").fingerprint
    assert len(CharTokenizer("ab").fingerprint) == 64


def test_it_offers_what_the_byte_level_tokenizer_offers():
    public = {name for name in vars(Tokenizer) if not name.startswith("_")}
    # There are no merges to show.
    assert public - {name for name in dir(CharTokenizer) if not name.startswith("_")} == {
        "gpt2",
        "train",
        "explain",
    }


def test_there_is_no_special_token(tokenizer):
    assert tokenizer.eot is None
    assert tokenizer.special_tokens == {}


def test_one_token_is_one_character(tokenizer):
    token = tokenizer.id_of("你")
    assert (tokenizer.piece(token), tokenizer.token_bytes(token)) == ("你", "你".encode())
    assert tokenizer.pieces([token, token]) == ["你", "你"]


def test_texts_are_encoded_together_as_alone(tokenizer):
    assert tokenizer.encode_batch(["Once", "time"]) == [tokenizer.encode("Once"), tokenizer.encode("time")]


def test_a_stream_gives_the_text_as_it_comes(tokenizer):
    stream = tokenizer.stream()
    assert [stream.push(token) for token in tokenizer.encode("a你😀")] == ["a", "你", "😀"]
    assert stream.flush() == ""


def test_an_unknown_character_is_named(tokenizer):
    with pytest.raises(TokenizerError, match="the character 'Z' is not among the"):
        tokenizer.encode("aZ")


@pytest.mark.parametrize(
    ("characters", "message"),
    [
        ("", "at least one"),
        ("aa", "each once"),
        (["ab"], "'ab' is not a character"),
        (["\ud800"], "is not a character"),
        ([1], "1 is not"),
    ],
)
def test_an_impossible_vocabulary_is_refused(characters, message):
    with pytest.raises(TokenizerError, match=message):
        CharTokenizer(characters)


@pytest.mark.parametrize("token", [-1, 2, 1.5, "a", None])
def test_an_impossible_id_is_refused(token):
    with pytest.raises(TokenizerError, match="token id"):
        CharTokenizer("ab").decode([token])


def test_wrong_kinds_of_text_are_refused(tokenizer):
    with pytest.raises(TokenizerError, match="text must be a str, not bytes"):
        tokenizer.encode(b"Once")
    with pytest.raises(TokenizerError, match="encode_batch takes a list of texts"):
        tokenizer.encode_batch("Once")
    with pytest.raises(TokenizerError, match="there is no token 'Once'"):
        tokenizer.id_of("Once")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"characters": 3}', '{"characters": ["ab"]}', "[" * 100_000])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "characters.json").write_text(content, encoding="utf-8")
    with pytest.raises(TokenizerError, match=r"characters\.json"):
        CharTokenizer.from_folder(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TokenizerError, match=r"cannot read .*characters\.json: No such file"):
        CharTokenizer.from_folder(tmp_path)


def test_each_token_lies_at_its_character(tokenizer):
    text = "".join(tokenizer.characters[:3])
    assert tokenizer.offsets(text, tokenizer.encode(text)) == [(0, 1), (1, 2), (2, 3)]
    with pytest.raises(TokenizerError, match="do not spell this text"):
        tokenizer.offsets(text, [0])
