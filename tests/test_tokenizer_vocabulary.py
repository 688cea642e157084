import hashlib
import json
import pickle

import pytest

from cutaway.errors import TokenizerError
from cutaway.tokenizer import END_OF_TEXT, Vocabulary, gpt2
from cutaway.tokenizer.byte_alphabet import BYTE_ORDER
from cutaway.tokenizer.gpt2 import VOCAB_BPE, gpt2_vocabulary

BYTES = tuple(bytes([byte]) for byte in BYTE_ORDER)
ENCODER_JSON_SHA256 = "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783"  # tiktoken's openai_public.py


def test_gpt2s_ids_are_openais_to_the_byte():
    encoder_json = json.dumps(gpt2_vocabulary().pieces)
    assert hashlib.sha256(encoder_json.encode()).hexdigest() == ENCODER_JSON_SHA256


def test_gpt2_has_256_bytes_50000_merges_and_one_special_token():
    vocabulary = gpt2_vocabulary()
    assert (len(vocabulary.tokens), len(vocabulary.merges)) == (50257, 50000)
    assert vocabulary.special_tokens == {END_OF_TEXT: 50256}


def test_gpt2s_vocabulary_is_loaded_once():
    assert gpt2_vocabulary() is gpt2_vocabulary()


def test_openais_licence_lies_beside_the_file():
    licence = VOCAB_BPE.with_name("LICENSE").read_text(encoding="utf-8")
    assert licence.startswith("Modified MIT License\n\nSoftware Copyright (c) 2019 OpenAI\n")


def test_a_damaged_package_file_is_noticed(tmp_path, monkeypatch):
    damaged = tmp_path / "vocab.bpe"
    damaged.write_bytes(VOCAB_BPE.read_bytes().replace(b"h e", b"h f", 1))
    monkeypatch.setattr(gpt2, "VOCAB_BPE", damaged)
    with pytest.raises(TokenizerError, match="is damaged"):
        gpt2_vocabulary.__wrapped__()


def test_numbering_is_gpt2s_bytes_then_merges_then_special_tokens():
    vocabulary = Vocabulary.from_merges([(b"a", b"b")], ["<|x|>"])
    assert vocabulary.tokens == (*BYTES, b"ab", b"<|x|>")
    assert vocabulary.special_tokens == {"<|x|>": 257}
    assert vocabulary.ids[b"ab"] == vocabulary.pieces["ab"] == 256
    assert b"<|x|>" not in vocabulary.ids


def test_equal_vocabularies_have_equal_fingerprints_and_others_do_not():
    def of(*arguments):
        return Vocabulary.from_merges(*arguments).fingerprint

    same = [(b"a", b"b"), (b"c", b"d")]
    assert of(same) == of(list(same))
    assert len({of(same), of(same[::-1]), of(same, []), of(same, ["<|x|>"]), of(same[:1])}) == 5


def test_a_vocabulary_survives_pickling():
    vocabulary = Vocabulary.from_merges([(b"a", b"b")])
    assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary


@pytest.mark.parametrize(
    ("merges", "tokens", "special", "message"),
    [
        ([], BYTES[1:], {}, r"no token for the byte 33 \('!'\)"),
        ([], (*BYTES, b"a"), {}, "257 ids name only 256 different tokens"),
        ([(b"a", b"bc")], (*BYTES, b"abc"), {}, "'a' and 'bc' are merged before both are made"),
        ([(b"a", b"b")], BYTES, {}, "the merges make 'ab', which has no id"),
        ([(b"a", b"b")] * 2, (*BYTES, b"ab"), {}, "1 merges are listed twice"),
        ([], (*BYTES, b""), {"": 256}, "is empty"),
        ([], (*BYTES, b"<x>"), {"<x>": 0}, "'<x>' is not the token with id 0"),
        ([], (*BYTES, b"<x>"), {"<x>": 300}, "'<x>' is not the token with id 300"),
        ([(b"a", b"b")], (*BYTES, b"ab", b"ab"), {"ab": 257}, "'ab' is written like an ordinary token"),
    ],
)
def test_a_broken_vocabulary_is_refused(merges, tokens, special, message):
    with pytest.raises(TokenizerError, match=message):
        Vocabulary(tuple(merges), tuple(tokens), special)
