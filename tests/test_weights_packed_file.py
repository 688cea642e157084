import json
import os

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from command_line import run, tiny
from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError, ConfigError
from cutaway.language_model import LanguageModel, load, load_generator
from cutaway.native import NativeModel
from cutaway.native.library import LIBRARY_VARIABLE
from cutaway.native.packed import FORMATS, dequantized, pack, unpack
from cutaway.verify import verify
from cutaway.weights.load import load_model
from cutaway.weights.locate import locate
from cutaway.weights.names import is_transposed
from cutaway.weights.native import load_native, suits_native
from cutaway.weights.packed_file import PackedFile, is_packed, parts_of, sizes
from cutaway.weights.safetensors_header import LENGTH_BYTES
from cutaway.weights.save_packed import PackedModel, save_packed
from native_models import SHAPES, all_logits, arrays_of, calm_model, needs_kernels, plain_logits, tokens_of
from test_native_packed import random_matrix
from tiny import TOKENIZER

CONFIG = GPTConfig(block_size=20, vocab_size=TOKENIZER.n_vocab, n_layer=2, n_head=2, n_embd=70)
each_precision = pytest.mark.parametrize("precision", FORMATS)


def packed_model(config, precision="int8"):
    """A model of random whole numbers of a sensible size."""
    kind, floats, matrices = FORMATS[precision], {}, {}
    for seed, (name, array) in enumerate(arrays_of(calm_model(config))):
        if array.ndim == 1 or name == "wpe.weight":
            floats[name] = array
        else:
            outputs, inputs = sizes(name, array.shape)
            integers, scales = random_matrix(outputs, inputs, kind, seed)
            matrices[name] = pack(integers, scales * np.float16(0.1 / kind.high), kind, parts_of(name))
    return PackedModel(config=config, precision=precision, matrices=matrices, floats=floats)


@pytest.fixture(params=FORMATS)
def folder(request, tmp_path):
    save_packed(packed_model(CONFIG, request.param), tmp_path / "model", TOKENIZER, report={"note": 1})
    return tmp_path / "model"


def distance(got, expected):
    return np.sqrt(np.mean((got - expected) ** 2) / np.mean(expected**2))


@needs_kernels
@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
@each_precision
def test_mapped_kernels_compute_what_pytorch_makes_of_the_same_whole_numbers(config, precision, tmp_path):
    """What is left is the rounding of activations, keys and values."""
    save_packed(packed_model(config, precision), tmp_path / "model")
    plain, tokens = load_model(tmp_path / "model").double(), tokens_of(config)
    with load_native(tmp_path / "model", threads=2) as native:
        assert native.precision == precision
        assert (
            distance(all_logits(native, tokens), plain_logits(plain, tokens)) < {"int8": 0.01, "int4": 0.02}[precision]
        )


def test_pytorch_gets_the_floats_that_the_whole_numbers_stand_for(folder):
    made = packed_model(CONFIG, PackedFile(folder / "model.safetensors").precision)
    model = load(folder).model
    assert model.dtype == torch.float32
    kind = FORMATS[made.precision]
    for name, matrix in made.matrices.items():
        weight = model.get_parameter(name)
        expected = dequantized(*unpack(matrix, weight.shape[1], weight.shape[0], kind, parts_of(name)), kind)
        np.testing.assert_array_equal(weight.detach().numpy(), expected)
    for name, array in made.floats.items():
        stored = model.get_parameter(name).detach().numpy()
        np.testing.assert_array_equal(stored.T if is_transposed(name) else stored, array)
    assert load(folder, dtype="auto").model.dtype == torch.float32
    assert load(folder, dtype="bfloat16").model.dtype == torch.bfloat16


@needs_kernels
def test_a_generator_maps_it_and_keeps_its_precision(folder):
    for dtype in ("float32", PackedFile(folder / "model.safetensors").precision):
        gpt = load_generator(folder, device="cpu", dtype=dtype)
        assert isinstance(gpt.model, NativeModel)
        assert gpt.model.precision == PackedFile(folder / "model.safetensors").precision
    assert gpt.generate("once", max_tokens=5, seed=1).samples[0].tokens
    other = {"int8": "int4", "int4": "int8"}[gpt.model.precision]
    for dtype in (other, "bfloat16"):
        with pytest.raises(ConfigError, match=f"is quantised to .*, from which {dtype} cannot be made"):
            load_generator(folder, device="cpu", dtype=dtype)


@needs_kernels
def test_stored_in_8_bits_it_is_read_with_activations_in_8_bits_on_request(folder):
    if PackedFile(folder / "model.safetensors").precision == "int8":
        with load_native(folder) as usual, load_native(folder, precision="w8a8") as faster:
            tokens = TOKENIZER.encode("once upon a time")
            exact, rounded = all_logits(usual, tokens), all_logits(faster, tokens)
        assert 0 < distance(rounded, exact) < 0.02
    else:
        with pytest.raises(ConfigError, match="from which w8a8 cannot be made"):
            load_native(folder, precision="w8a8")


def test_without_kernels_pytorch_writes_with_it(folder, monkeypatch, tmp_path):
    monkeypatch.setenv(LIBRARY_VARIABLE, str(tmp_path / "nothing.so"))
    assert not suits_native(folder)
    assert isinstance(load_generator(folder, device="cpu"), LanguageModel)


def test_the_commands_take_it_like_any_model(folder):
    ids = " ".join(map(str, TOKENIZER.encode("once")))
    assert run("tokenize", "once", "--ids", "--tokenizer", folder).out == f"{ids}\n"
    assert run("info", folder).code == 0
    written = run("generate", "once", "--model", folder, "--device", "cpu", "--max-tokens", 4, "--seed", 1)
    assert (written.code, written.err) == (0, "")


def test_packed_tensors_begin_at_multiples_of_64_bytes(folder):
    file = PackedFile(folder / "model.safetensors")
    for entry in file.entries.values():
        if entry.dtype in ("U8", "F16"):
            assert entry.begin % 64 == 0
    assert (
        sorted(path.name for path in folder.iterdir())
        == [
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "quantization.json",
            "tokenizer.json",
        ]
        or (folder / "vocab.json").is_file()
    )


def test_the_bytes_are_the_same_each_time(tmp_path):
    for name in ("a", "b"):
        save_packed(packed_model(CONFIG), tmp_path / name)
    assert (tmp_path / "a/model.safetensors").read_bytes() == (tmp_path / "b/model.safetensors").read_bytes()


def test_the_file_is_mapped_and_cannot_be_written_to(folder):
    packed = PackedFile(folder / "model.safetensors").packed("h.0.mlp.c_fc.weight")
    assert not packed.weights.flags.owndata
    assert not packed.weights.flags.writeable
    assert packed.weights.ctypes.data % 64 == 0


def rewrite(folder, change, pad=64):
    """Change the header of the file, and keep the rest."""
    file = folder / "model.safetensors"
    data = file.read_bytes()
    end = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little")
    header = json.loads(data[LENGTH_BYTES:end])
    change(header)
    text = json.dumps(header).encode()
    text += b" " * (-(LENGTH_BYTES + len(text)) % 64 + pad % 64)
    file.write_bytes(len(text).to_bytes(LENGTH_BYTES, "little") + text + data[end:])


def metadata(**changes):
    return lambda header: header["__metadata__"].update(changes)


def shapes(change):
    def edit(header):
        held = json.loads(header["__metadata__"]["shapes"])
        change(held)
        header["__metadata__"]["shapes"] = json.dumps(held)

    return edit


def entry(name, **changes):
    return lambda header: header[name].update(changes)


C_FC = "h.0.mlp.c_fc.weight"
each_loader = pytest.mark.parametrize("by", [load_model, pytest.param(load_native, marks=needs_kernels)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (metadata(version="2"), "has version '2'; the version that can be read is 1; make it again with cutaway"),
        (metadata(precision="int2"), "has precision 'int2'; the precision that can be read is int8 or int4"),
        (metadata(shapes=""), "the list of packed tensors in .* is not valid JSON"),
        (metadata(shapes="[]"), "the list of packed tensors in .* holds a JSON list"),
        (shapes(lambda s: s.update({C_FC: [70]})), rf"tensor '{C_FC}' has the shape \[70\]"),
        (shapes(lambda s: s.update({C_FC: [70, -1]})), rf"tensor '{C_FC}' has the shape \[70, -1\]"),
        (shapes(lambda s: s.update({C_FC: [70, 400]})), rf"tensor '{C_FC}' should be U8 of the shape"),
        (shapes(lambda s: s.update({"x.weight": [70, 400]})), r"'x.weight' should be U8 of the shape .* is not there"),
        (shapes(lambda s: s.pop(C_FC)), r"has a tensor 'h\.0\.mlp\.c_fc\.scales', for which its config\.json has no"),
        (shapes(lambda s: s.update({C_FC: [70, 279]})), r"has the shape \(70, 279\), but its config.json asks for"),
        (metadata(crc32="{}"), r"tensor 'h\.0\.attn\.c_attn\.bias' is only in one of the header and its checksums"),
        (metadata(crc32="x"), "the list of checksums in .* is not valid JSON"),
        (entry("h.0.mlp.c_fc.scales", dtype="BF16"), r"'h\.0\.mlp\.c_fc\.scales' should be F16 .* but is BF16"),
    ],
)
@each_loader
def test_a_file_that_is_not_what_it_says_is_refused(change, message, by, folder):
    rewrite(folder, change)
    with pytest.raises(CheckpointError, match=message):
        by(folder)


def test_tensors_moved_by_another_program_are_refused(folder):
    rewrite(folder, lambda header: None, pad=8)
    with pytest.raises(CheckpointError, match="is no multiple of 64; another program has written it"):
        load_model(folder)


@needs_kernels
@pytest.mark.parametrize("cut", [1, 5_000])
def test_a_truncated_file_is_refused(cut, folder):
    file = folder / "model.safetensors"
    os.truncate(file, file.stat().st_size - cut)
    with pytest.raises(CheckpointError, match="is truncated"):
        load_native(folder)


def without_checksums(folder):
    """Make the file what it was before there were any."""
    rewrite(folder, lambda header: header["__metadata__"].pop("crc32"))


def flip(folder, name, byte=0, bit=0):
    """Flip one bit of a stored tensor."""
    entry = PackedFile(folder / "model.safetensors").entries[name]
    with (folder / "model.safetensors").open("rb+") as stream:
        stream.seek(entry.begin + byte % (entry.end - entry.begin))
        (old,) = stream.read(1)
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([old ^ 1 << bit]))


def test_a_whole_file_has_no_damage_and_a_checksum_of_every_tensor(folder):
    file = PackedFile(folder / "model.safetensors")
    assert file.checksums.keys() == file.entries.keys()
    assert not file.damaged()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_anywhere_in_a_tensor_is_seen_and_named(data, folder):
    names = sorted(PackedFile(folder / "model.safetensors").entries)
    place = data.draw(st.sampled_from(names)), data.draw(st.integers(0, 1 << 20)), data.draw(st.integers(0, 7))
    flip(folder, *place)
    assert PackedFile(folder / "model.safetensors").damaged() == [place[0]]
    flip(folder, *place)


@pytest.mark.parametrize("name", ["h.0.mlp.c_fc.weight", "h.0.mlp.c_fc.scales", "h.1.ln_2.bias", "wpe.weight"])
def test_pytorch_refuses_a_damaged_tensor(name, folder):
    flip(folder, name, byte=70)
    with pytest.raises(CheckpointError, match=f"tensor '{name}' is not what was written; it is damaged, make it again"):
        load_model(folder)


@needs_kernels
@pytest.mark.parametrize("name", ["h.0.mlp.c_fc.scales", "h.1.ln_2.bias", "wpe.weight"])
def test_kernels_refuse_damage_in_what_they_read(name, folder):
    flip(folder, name, byte=70)
    with pytest.raises(CheckpointError, match=f"tensor '{name}' is not what was written"):
        load_native(folder)


@needs_kernels
def test_kernels_map_a_matrix_without_reading_it_and_verify_names_what_is_damaged_in_it(folder):
    flip(folder, C_FC)
    load_native(folder).close()
    checks = {check.name: check for check in verify(folder)}
    assert (checks["checksums"].state, checks["checksums"].seen) == ("failed", f"{C_FC} not what was written")
    assert checks["tensors and network"].state == "skipped"


def test_verify_says_that_a_file_is_whole_or_that_nobody_can_tell(folder):
    count = len(PackedFile(folder / "model.safetensors").entries)
    checks = {check.name: check for check in verify(folder)}
    assert (checks["checksums"].state, checks["checksums"].seen) == ("passed", f"{count} tensors are whole")
    assert not [check.name for check in checks.values() if check.state == "failed"]
    assert checks["transformers"].seen == "it does not read what cutaway quantize made"
    without_checksums(folder)
    checks = {check.name: check for check in verify(folder, precisions=())}
    assert checks["checksums"].state == "skipped"


@needs_kernels
def test_verify_tries_the_kernels_at_the_precision_of_the_file_alone_and_in_company(folder):
    checks = {check.name: check.state for check in verify(folder)}
    precision = PackedFile(folder / "model.safetensors").precision
    assert checks[f"native {precision}"] == checks["native batched = single"] == "passed"


@each_loader
def test_a_file_from_before_there_were_checksums_loads(by, folder):
    without_checksums(folder)
    assert not PackedFile(folder / "model.safetensors").damaged()
    by(folder)


@each_loader
def test_a_scale_that_is_not_finite_is_refused(by, folder):
    without_checksums(folder)
    entry = PackedFile(folder / "model.safetensors").entries["h.1.attn.c_proj.scales"]
    with (folder / "model.safetensors").open("rb+") as stream:
        stream.seek(entry.begin)
        stream.write(np.float16(np.inf).tobytes())
    with pytest.raises(CheckpointError, match=r"tensor 'h\.1\.attn\.c_proj\.scales' holds NaN or infinity"):
        by(folder)


def test_transformers_refuses_it_rather_than_read_nonsense(folder):
    from transformers import GPT2LMHeadModel

    with pytest.raises((OSError, RuntimeError, ValueError)):
        GPT2LMHeadModel.from_pretrained(folder)


def test_an_ordinary_checkpoint_is_not_packed():
    assert not is_packed(locate(tiny()).weights)


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="is not empty"):
        save_packed(packed_model(CONFIG), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
