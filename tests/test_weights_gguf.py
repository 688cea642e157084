import dataclasses
import io
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import cutaway
from cutaway import GPTConfig, Tokenizer
from cutaway.errors import CheckpointError, ConfigError, TokenizerError
from cutaway.tokenizer import CharTokenizer, Vocabulary
from cutaway.weights import load_model, load_tokenizer, save_gguf
from cutaway.weights.gguf.file import GGUFFile
from cutaway.weights.gguf.formats import FORMATS
from cutaway.weights.gguf.names import gguf_name, name_from_gguf
from cutaway.weights.gguf.values import ValueReader, encode_value
from cutaway.weights.names import stored_shapes
from tiny import TOKENIZER, tiny_model

IDX = torch.tensor([[1, 2, 3, 4], [0, 250, 7, 7]])
SHAPES = [{}, {"tie_word_embeddings": False, "n_inner": 64}, {"vocab_size": 300, "layer_norm_epsilon": 1e-3}]


def model_of(**changes):
    return tiny_model(dtype=torch.float32, **({"n_head": 4, "n_embd": 32} | changes))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    save_gguf(model_of(), file, TOKENIZER, dtype="F32")
    return file


@pytest.mark.parametrize("changes", SHAPES)
def test_a_file_in_float32_gives_the_same_model_back(changes, tmp_path):
    model = model_of(**changes)
    save_gguf(model, tmp_path / "m.gguf", TOKENIZER, dtype="F32")
    back = load_model(tmp_path / "m.gguf")
    assert back.config == model.config
    assert all(torch.equal(tensor, model.get_parameter(name)) for name, tensor in back.named_parameters())
    assert load_tokenizer(tmp_path / "m.gguf") == TOKENIZER


@pytest.mark.parametrize("dtype", FORMATS)
def test_a_rounded_file_holds_each_matrix_as_its_format_has_it_and_the_rest_exactly(dtype, tmp_path):
    model = model_of()
    save_gguf(model, tmp_path / "m.gguf", TOKENIZER, dtype=dtype)
    back = load_model(tmp_path / "m.gguf")
    for name, tensor in model.named_parameters():
        expected = tensor.detach().numpy()
        if tensor.ndim == 2 and name != "wpe.weight":
            expected = FORMATS[dtype].decode(FORMATS[dtype].encode(expected)).reshape(expected.shape)
        np.testing.assert_array_equal(back.get_parameter(name).detach().numpy(), expected, err_msg=name)


def test_a_tensor_that_is_written_in_pieces_is_the_same(tmp_path, monkeypatch, file):
    monkeypatch.setattr("cutaway.weights.gguf.save.CHUNK", 100)
    save_gguf(model_of(), tmp_path / "m.gguf", TOKENIZER, dtype="F32")
    assert (tmp_path / "m.gguf").read_bytes() == file.read_bytes()


def test_a_file_that_changes_is_read_again(tmp_path):
    for vocab_size in (300, 310):
        save_gguf(model_of(vocab_size=vocab_size), tmp_path / "m.gguf", TOKENIZER, dtype="F32", overwrite=True)
        assert load_model(tmp_path / "m.gguf").config.vocab_size == vocab_size
        assert load_tokenizer(tmp_path / "m.gguf") == TOKENIZER


def test_text_is_generated_from_it_by_either_path(file):
    ours = cutaway.load(file, device="cpu").generate("Once", temperature=0, max_tokens=8)
    quick = cutaway.load_generator(file, device="cpu").generate("Once", temperature=0, max_tokens=8)
    assert ours.text == quick.text


def test_the_python_package_of_ggml_reads_the_same(file):
    gguf = pytest.importorskip("gguf")
    reader = gguf.GGUFReader(file)
    model = model_of()
    assert reader.fields["general.architecture"].contents() == "gpt2"
    assert reader.fields["tokenizer.ggml.tokens"].contents() == list(TOKENIZER.vocabulary.pieces)
    tensors = {tensor.name: tensor.data for tensor in reader.tensors}
    assert tensors.keys() == {gguf_name(name) for name in stored_shapes(model.config)}
    for name in stored_shapes(model.config):
        np.testing.assert_array_equal(tensors[gguf_name(name)], model.get_parameter(name).detach().numpy())


def test_what_the_python_package_of_ggml_writes_is_read(tmp_path):
    gguf = pytest.importorskip("gguf")
    model, path = model_of(), tmp_path / "theirs.gguf"
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_context_length(model.config.block_size)
    writer.add_embedding_length(model.config.n_embd)
    writer.add_block_count(model.config.n_layer)
    writer.add_feed_forward_length(model.config.mlp_size)
    writer.add_head_count(model.config.n_head)
    writer.add_layer_norm_eps(model.config.layer_norm_epsilon)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(list(TOKENIZER.vocabulary.pieces))
    writer.add_token_types([1] * (TOKENIZER.n_vocab - 1) + [3])
    writer.add_token_merges([])
    for name in stored_shapes(model.config):
        writer.add_tensor(gguf_name(name), model.get_parameter(name).detach().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    back = load_model(path)
    assert back.config == model.config
    torch.testing.assert_close(back(IDX)[0], model(IDX)[0], rtol=0, atol=0)


def test_ids_beyond_the_vocabulary_are_marked_as_unused(tmp_path):
    save_gguf(model_of(vocab_size=300), tmp_path / "m.gguf", TOKENIZER, dtype="F32")
    values = GGUFFile(tmp_path / "m.gguf").values
    beyond = slice(TOKENIZER.n_vocab, None)
    assert values["tokenizer.ggml.tokens"][beyond] == [f"[UNUSED{i}]" for i in range(TOKENIZER.n_vocab, 300)]
    assert set(values["tokenizer.ggml.token_type"][beyond]) == {5}


def test_every_name_comes_back():
    names = stored_shapes(GPTConfig(tie_word_embeddings=False))
    assert {name_from_gguf(gguf_name(name)) for name in names} == names.keys()
    assert name_from_gguf("blk.0.attn_q.weight") is None


@pytest.mark.parametrize("tokenizer", [CharTokenizer("ab"), Tokenizer(Vocabulary.from_merges([], []))])
def test_a_vocabulary_that_llama_cpp_cannot_have_is_refused(tokenizer, tmp_path):
    with pytest.raises(TokenizerError, match="export to hf instead"):
        save_gguf(model_of(), tmp_path / "m.gguf", tokenizer)
    assert not list(tmp_path.iterdir())


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(tmp_path):
    with pytest.raises(TokenizerError, match="has 50,257 tokens, the model only 272"):
        save_gguf(model_of(), tmp_path / "m.gguf", Tokenizer.gpt2())


def test_rows_that_are_no_whole_blocks_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"rows of 24, .* blocks of 32 that Q8_0 has; choose F16 or BF16"):
        save_gguf(model_of(n_embd=24), tmp_path / "m.gguf", TOKENIZER, dtype="Q8_0")


@pytest.mark.parametrize("value", [7e4, float("nan")])
def test_a_weight_beyond_the_format_is_refused_and_nothing_is_left(value, tmp_path):
    model = model_of()
    model.h[1].mlp.c_fc.weight.data[3, 3] = value
    with pytest.raises(CheckpointError, match=r"'h\.1\.mlp\.c_fc\.weight' holds .* and F16 ends at 65519"):
        save_gguf(model, tmp_path / "m.gguf", TOKENIZER, dtype="F16")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_stays(file):
    before = file.read_bytes()
    with pytest.raises(CheckpointError, match="is there already"):
        save_gguf(model_of(), file, TOKENIZER)
    assert file.read_bytes() == before


# What strangers may have written.


@given(st.data())
def test_a_damaged_file_is_an_error_in_a_sentence_or_still_a_model(file, data):
    content = bytearray(file.read_bytes()[: data.draw(st.integers(0, 9000), label="length")])
    for place in data.draw(st.lists(st.integers(0, 9000), max_size=4), label="places"):
        if place < len(content):
            content[place] = data.draw(st.integers(0, 255), label="byte")
    damaged = file.with_name("damaged.gguf")
    damaged.write_bytes(content)
    try:
        found = GGUFFile(damaged)
        assert found.config
        assert found.tokenizer
    except CheckpointError as error:
        assert str(damaged) in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("at", "layout", "value", "fault"),
    [
        (0, "4s", b"GGML", "begins with b'GGML', not 'GGUF'"),
        (4, "<I", 1, "is GGUF version 1; versions 2 and 3 are read"),
        (8, "<Q", 1 << 40, "claims 1,099,511,627,776 tensors"),
        (16, "<Q", 1 << 40, "claims 1,099,511,627,776 values"),
        (24, "<Q", 1 << 40, "claims 1,099,511,627,776 bytes for a text"),
        (24, "<Q", 1 << 19, "is truncated: 524,288 bytes are wanted at byte 32"),
    ],
)
def test_what_cannot_be_is_refused_before_memory_is_set_aside(file, tmp_path, at, layout, value, fault):
    content = bytearray(file.read_bytes())
    struct.pack_into(layout, content, at, value)
    (tmp_path / "bad.gguf").write_bytes(content)
    with pytest.raises(CheckpointError) as error:
        GGUFFile(tmp_path / "bad.gguf")
    assert fault in str(error.value)


def test_a_truncated_file_names_the_tensor(file, tmp_path):
    (tmp_path / "short.gguf").write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=r"is truncated: tensor '.*' ends at byte"):
        load_model(tmp_path / "short.gguf")


def test_another_architecture_is_refused(file, tmp_path):
    (tmp_path / "other.gguf").write_bytes(file.read_bytes().replace(b"gpt2", b"gptj", 1))
    with pytest.raises(CheckpointError, match=r"general\.architecture='gptj' is not GPT-2"):
        load_model(tmp_path / "other.gguf")


def test_a_format_that_is_not_read_is_named(file, tmp_path):
    content = file.read_bytes()
    name = b"token_embd.weight"
    at = content.index(name) + len(name) + 4 + 16
    (tmp_path / "k.gguf").write_bytes(content[:at] + struct.pack("<I", 14) + content[at + 4 :])
    with pytest.raises(CheckpointError, match=r"'token_embd.weight' has ggml's format 14; F32, .* are read"):
        load_model(tmp_path / "k.gguf")


numbers = st.booleans() | st.integers(0, 2**32 - 1) | st.floats(width=32, allow_nan=False)


@given(numbers | st.text() | st.lists(st.text()) | st.lists(st.integers(-(2**31), 2**31 - 1)))
def test_values_come_back(value):
    content = encode_value(value)
    back = ValueReader(io.BytesIO(content), Path("value"), len(content)).value()
    assert (back, type(back)) == (value, type(value))


def test_entries_do_not_change(file):
    with pytest.raises(dataclasses.FrozenInstanceError):
        GGUFFile(file).entries["wte.weight"].begin = 0
