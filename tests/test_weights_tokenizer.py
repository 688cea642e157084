import json

import pytest

from cutaway.errors import CheckpointError, TokenizerError
from cutaway.tokenizer import Tokenizer
from cutaway.weights.tokenizer import load_tokenizer


def write_config(folder, vocab_size):
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", "vocab_size": vocab_size}))
    (folder / "model.safetensors").touch()


def test_a_tokenizer_in_the_folder_is_used(tmp_path):
    write_config(tmp_path, 300)
    tokenizer = Tokenizer.train(["to be or not to be that is the question"] * 3, 262)
    tokenizer.save(tmp_path)
    assert load_tokenizer(tmp_path).encode("to be") == tokenizer.encode("to be")


@pytest.mark.parametrize("vocab_size", [50257, 50304])
def test_a_model_with_gpt2s_vocabulary_and_no_tokenizer_has_gpt2s(vocab_size, tmp_path):
    write_config(tmp_path, vocab_size)
    assert load_tokenizer(tmp_path).encode("Hello World") == [15496, 2159]


def test_another_model_without_tokenizer_is_refused(tmp_path):
    write_config(tmp_path, 11)
    with pytest.raises(CheckpointError, match=r"holds no tokenizer for its 11 tokens; put tokenizer\.json"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(tmp_path):
    write_config(tmp_path, 11)
    Tokenizer.train(["to be or not to be"], 260).save(tmp_path)
    with pytest.raises(CheckpointError, match="has 260 tokens, the model only 11"):
        load_tokenizer(tmp_path)


def test_a_damaged_tokenizer_is_not_replaced_by_another(tmp_path):
    write_config(tmp_path, 50257)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(TokenizerError):
        load_tokenizer(tmp_path)
