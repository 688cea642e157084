import json
from hashlib import sha256

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, GPT2Tokenizer

from cutaway.errors import TokenizerError
from cutaway.tokenizer import Tokenizer, Vocabulary, folder
from cutaway.tokenizer.byte_alphabet import CHARACTER_OF, to_piece
from cutaway.tokenizer.gpt2 import TOKENIZER_JSON_SHA256, gpt2_vocabulary

GPT2 = Tokenizer.gpt2()
SMALL = Tokenizer.train(["the cat sat on the mat, the rat sat on the cat; \n\n that is that"], 275)
FILES = {"vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json"}
TEXT = "Hello  world<|endoftext|> don't\n\n x é 👍🏽 \u3000漢字\x00 "


@pytest.fixture(scope="module")
def gpt2_folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("gpt2")
    GPT2.save(path)
    return path


@pytest.fixture
def small_folder(tmp_path):
    SMALL.save(tmp_path)
    return tmp_path


@pytest.fixture(scope="module", params=[GPT2Tokenizer, AutoTokenizer])
def transformers_tokenizer(request, gpt2_folder):
    return request.param.from_pretrained(gpt2_folder)


def rewrite(file, change):
    """Load a JSON file, let `change` work on it, and write it back."""
    document = json.loads(file.read_text(encoding="utf-8"))
    change(document)
    file.write_text(json.dumps(document), encoding="utf-8")


def without_tokenizer_json(path):
    (path / "tokenizer.json").unlink()
    return path


def test_saving_writes_four_files_and_leaves_nothing_else(small_folder):
    assert {file.name for file in small_folder.iterdir()} == FILES


def test_saving_makes_the_folder_and_overwrites(tmp_path):
    SMALL.save(tmp_path / "new" / "folder")
    GPT2.save(tmp_path / "new" / "folder")
    assert Tokenizer.from_folder(tmp_path / "new" / "folder") == GPT2


def test_what_was_saved_is_read_from_either_form(gpt2_folder, small_folder):
    assert Tokenizer.from_folder(gpt2_folder) == GPT2
    assert Tokenizer.from_folder(str(small_folder)) == SMALL
    assert Tokenizer.from_folder(without_tokenizer_json(small_folder)).fingerprint == SMALL.fingerprint


def test_a_failed_save_leaves_the_old_files(small_folder, monkeypatch):
    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        GPT2.save(small_folder)
    assert Tokenizer.from_folder(small_folder) == SMALL
    assert {file.name for file in small_folder.iterdir()} == FILES


def test_transformers_encodes_the_same_with_our_files(transformers_tokenizer):
    assert transformers_tokenizer.encode(TEXT) == GPT2.encode(TEXT, allowed_special="all")
    assert len(transformers_tokenizer) == 50257
    assert transformers_tokenizer.eos_token_id == transformers_tokenizer.bos_token_id == 50256


@given(text=st.text(max_size=30))
def test_transformers_encodes_any_text_the_same(text, transformers_tokenizer):
    # transformers takes special tokens wherever it sees them.
    assert transformers_tokenizer.encode(text) == GPT2.encode(text, allowed_special="all")


def test_what_transformers_saves_is_read_back(transformers_tokenizer, tmp_path):
    transformers_tokenizer.save_pretrained(tmp_path)
    assert Tokenizer.from_folder(tmp_path) == GPT2


@given(text=st.text("theacronmsi ,\n", max_size=40))
def test_a_trained_tokenizer_encodes_the_same_in_the_tokenizers_library(text):
    theirs = tokenizers.Tokenizer.from_str(json.dumps(folder.tokenizer_json.describe(SMALL.vocabulary)))
    assert theirs.encode(text).ids == SMALL.encode(text)


def test_a_vocabulary_without_special_tokens_gets_none_from_transformers(tmp_path):
    tokenizer = Tokenizer(Vocabulary.from_merges([(b"a", b"b")], []))
    tokenizer.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert theirs.encode("ab<|endoftext|>") == tokenizer.encode("ab<|endoftext|>")
    assert len(theirs) == 257


def test_ids_in_any_order_are_kept(small_folder):
    last = SMALL.n_vocab - 1
    path = without_tokenizer_json(small_folder)
    rewrite(path / "vocab.json", lambda vocab: vocab.update({piece: last - i for piece, i in vocab.items()}))
    reversed_ids = Tokenizer.from_folder(path)
    assert reversed_ids.encode("the cat, that") == [last - i for i in SMALL.encode("the cat, that")]
    assert reversed_ids.eot == 0


def test_added_tokens_are_special(small_folder):
    (small_folder / "added_tokens.json").write_text(json.dumps({"<|user|>": SMALL.n_vocab}), encoding="utf-8")
    tokenizer = Tokenizer.from_folder(without_tokenizer_json(small_folder))
    assert tokenizer.special_tokens == {"<|endoftext|>": SMALL.n_vocab - 1, "<|user|>": SMALL.n_vocab}
    assert tokenizer.encode("<|user|>", allowed_special="all") == [SMALL.n_vocab]


def test_older_files_are_read_too(small_folder):
    def age(document):
        merges = document["model"]["merges"]
        document["model"]["merges"] = [" ".join(pair) for pair in merges]
        del document["model"]["type"], document["pre_tokenizer"]["use_regex"]

    rewrite(small_folder / "tokenizer.json", age)
    assert Tokenizer.from_folder(small_folder) == SMALL


def test_windows_line_ends_are_read(small_folder):
    merges = small_folder / "merges.txt"
    merges.write_bytes(merges.read_bytes().replace(b"\n", b"\r\n"))
    assert Tokenizer.from_folder(without_tokenizer_json(small_folder)) == SMALL


def test_a_folder_without_a_tokenizer_says_what_it_needs(tmp_path):
    with pytest.raises(TokenizerError, match=r"needs tokenizer\.json, or vocab\.json and merges\.txt"):
        Tokenizer.from_folder(tmp_path)
    with pytest.raises(TokenizerError, match="holds no tokenizer"):
        Tokenizer.from_folder(tmp_path / "absent")


def test_missing_merges_are_noticed(small_folder):
    (without_tokenizer_json(small_folder) / "merges.txt").unlink()
    with pytest.raises(TokenizerError, match="holds no tokenizer"):
        Tokenizer.from_folder(small_folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 0, "b"', "is not valid JSON"),
        (b"", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"[1, 2]", "holds a JSON list, not an object"),
        (b'{"a": "\xff"}', "is not UTF-8 at byte 7"),
        (b'{"a": 0, "a": 1}', "names 'a' twice"),
        (b'{"a": 0, "b": 0}', "'a' and 'b' both have id 0"),
        (b'{"a": 0, "b": 2}', "'b' has id 2; 2 tokens need ids 0 to 1"),
        (b'{"a": 0, "b": -1}', "'b' has id -1"),
        (b'{"a": 0, "b": true}', "'b' has id True"),
        (b'{"a": 0, "b": 1.0}', "'b' has id 1.0"),
        (b'{"a": 0, "b": "1"}', "'b' has id '1'"),
        (b'{"a": 0, "b": 1}', "no token for the byte 33"),
        (b'{"<\\ud800>": 0}', "surrogates not allowed"),
    ],
)
def test_a_broken_vocab_json_is_refused(small_folder, content, message):
    path = without_tokenizer_json(small_folder)
    (path / "vocab.json").write_bytes(content)
    with pytest.raises(TokenizerError, match=message) as caught:
        Tokenizer.from_folder(path)
    assert "vocab.json" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("t", "'t' does not merge two parts"),
        ("t h e", "'t h e' does not merge two parts"),
        ("zq x", "'zq x' does not merge two parts"),
        ("t q", "make 'tq', which has no id"),
    ],
)
def test_a_broken_merges_txt_is_refused(small_folder, line, message):
    path = without_tokenizer_json(small_folder)
    with (path / "merges.txt").open("a", encoding="utf-8") as merges:
        merges.write(line + "\n")
    with pytest.raises(TokenizerError, match=message):
        Tokenizer.from_folder(path)


def test_a_repeated_merge_is_refused(small_folder):
    path = without_tokenizer_json(small_folder)
    lines = (path / "merges.txt").read_text(encoding="utf-8").splitlines()
    (path / "merges.txt").write_text("\n".join([*lines, lines[1]]), encoding="utf-8")
    with pytest.raises(TokenizerError, match="1 merges are listed twice"):
        Tokenizer.from_folder(path)


def test_a_truncated_merges_txt_leaves_tokens_that_nothing_makes(small_folder):
    path = without_tokenizer_json(small_folder)
    lines = (path / "merges.txt").read_text(encoding="utf-8").splitlines()
    (path / "merges.txt").write_text("\n".join(lines[:10]), encoding="utf-8")
    with pytest.raises(TokenizerError, match="no merge makes"):
        Tokenizer.from_folder(path)


@pytest.mark.parametrize("name", ["tokenizer.json", "merges.txt"])
def test_a_huge_file_is_not_read(small_folder, monkeypatch, name):
    monkeypatch.setattr(folder, "MAX_FILE_BYTES", 1 << 20)
    path = small_folder if name == "tokenizer.json" else without_tokenizer_json(small_folder)
    with (path / name).open("ab") as file:
        file.truncate((1 << 20) + 1)
    with pytest.raises(TokenizerError, match=f"{name} is larger than 1 MiB"):
        Tokenizer.from_folder(path)


def set_model(**values):
    return lambda document: document["model"].update(values)


def set_part(**values):
    return lambda document: document.update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_model(type="WordPiece"), "the model 'WordPiece'"),
        (set_model(type="Unigram", vocab=[["a", 0.0]]), "the model 'Unigram'"),
        (set_model(vocab=None), "no vocab"),
        (set_model(merges=None), "no list of merges"),
        (set_model(merges=[["a", "b", "c"]]), "a merge is two strings"),
        (set_model(merges=[5]), "a merge is two strings"),
        (set_model(dropout=0.1), "dropout=0.1"),
        (set_model(end_of_word_suffix="</w>"), "end_of_word_suffix='</w>'"),
        (set_model(byte_fallback=True), "byte_fallback=True"),
        (set_model(ignore_merges=True), "ignore_merges=True"),
        (set_part(model=[]), "no vocab"),
        (set_part(normalizer={"type": "NFKC"}), "the normalizer 'NFKC'"),
        (set_part(pre_tokenizer={"type": "Metaspace"}), "the pre_tokenizer 'Metaspace'"),
        (set_part(pre_tokenizer=None), "the pre_tokenizer None"),
        (set_part(pre_tokenizer={"type": "ByteLevel", "add_prefix_space": True}), "add_prefix_space=true"),
        (set_part(pre_tokenizer={"type": "ByteLevel", "use_regex": False}), "use_regex=false"),
        (set_part(post_processor={"type": "TemplateProcessing"}), "the post_processor 'TemplateProcessing'"),
        (set_part(added_tokens=[{"content": "<x>"}]), "added token without 'content' or 'id'"),
        (set_part(added_tokens=[{"content": "a", "id": 64}]), "the added token 'a' is also an ordinary token"),
        (set_part(added_tokens=5), "added token without 'content' or 'id'"),
        (set_part(added_tokens=[{"content": "<x>", "id": 3}]), "both have id 3|'<x>' has id 3"),
    ],
)
def test_a_tokenizer_json_that_is_not_gpt2s_kind_is_refused(small_folder, change, message):
    rewrite(small_folder / "tokenizer.json", change)
    with pytest.raises(TokenizerError, match=message) as caught:
        Tokenizer.from_folder(small_folder)
    assert "tokenizer.json" in str(caught.value)


def test_saved_pieces_are_printable():
    assert to_piece(b" ") == CHARACTER_OF[32] == "Ġ"
    assert all(piece.isprintable() for piece in SMALL.vocabulary.pieces)


def test_gpt2s_own_file_is_known_by_its_hash_and_read_as_any_other_would_be(gpt2_folder, tmp_path):
    """Longer by a space, it is understood instead, and checked, and gives the same."""
    content = (gpt2_folder / "tokenizer.json").read_bytes()
    assert sha256(content).hexdigest() == TOKENIZER_JSON_SHA256
    assert folder.read(gpt2_folder) is gpt2_vocabulary()
    (tmp_path / "tokenizer.json").write_bytes(content + b" ")
    assert folder.read(tmp_path) is not gpt2_vocabulary()
    assert folder.read(tmp_path) == gpt2_vocabulary()
