import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cutaway.errors import CheckpointError, ConfigError, ModelNotFoundError
from cutaway.weights.array_file import ArrayFile
from cutaway.weights.load import load_model
from cutaway.weights.native import load_native
from native_models import all_logits, needs_kernels, plain_logits, tokens_of
from peers import random_peer
from test_weights_load import SHAPES, TINY

pytestmark = needs_kernels


@pytest.fixture
def folder(tmp_path):
    random_peer(TINY, dtype=torch.float32).save_pretrained(tmp_path)
    return tmp_path


def edit(folder, change):
    """Change the tensors of a checkpoint."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def assert_same(folder, **options):
    model = load_model(folder)
    with load_native(folder, threads=1, **options) as native:
        assert native.config == model.config
        tokens = tokens_of(model.config)
        np.testing.assert_allclose(all_logits(native, tokens), plain_logits(model, tokens), rtol=0, atol=1e-4)


@pytest.mark.parametrize("config", SHAPES)
@pytest.mark.parametrize("shard_size", ["1KB", "1GB"])
def test_a_checkpoint_gives_the_logits_of_the_plain_model(config, shard_size, tmp_path):
    random_peer(config, dtype=torch.float32).save_pretrained(tmp_path, max_shard_size=shard_size)
    assert_same(tmp_path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_format_of_floating_point_numbers_is_taken(dtype, tmp_path):
    random_peer(TINY, dtype=dtype).save_pretrained(tmp_path)
    assert_same(tmp_path)


def test_weights_at_odd_addresses_are_taken(folder):
    """OpenAI's published file has a header of odd length."""
    file = folder / "model.safetensors"
    data = file.read_bytes()
    length = int.from_bytes(data[:8], "little")
    file.write_bytes((length + 1).to_bytes(8, "little") + data[8 : 8 + length] + b" " + data[8 + length :])
    assert_same(folder)


def test_a_tied_head_that_is_stored_too_must_be_the_embedding(folder):
    edit(folder, lambda tensors: tensors.update({"lm_head.weight": tensors["transformer.wte.weight"].clone()}))
    assert_same(folder)
    edit(folder, lambda tensors: tensors["lm_head.weight"].add_(1))
    with pytest.raises(CheckpointError, match=r"model\.safetensors: tensor 'lm_head.weight' differs from 'wte.weight'"):
        load_native(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("transformer.h.1.ln_2.bias"), r"model\.safetensors has no tensor 'h\.1\.ln_2\.bias'"),
        (lambda t: t.update({"score.weight": torch.ones(2)}), "has a tensor 'score.weight'"),
        (lambda t: t.update({"transformer.wpe.weight": torch.ones(9, 6)}), r"'wpe\.weight' has the shape \(9, 6\)"),
        (
            lambda t: t["transformer.h.0.mlp.c_fc.weight"].fill_(torch.nan),
            r"model\.safetensors: tensor 'h\.0\.mlp\.c_fc\.weight' holds NaN or infinity",
        ),
        (
            lambda t: t.update({"transformer.ln_f.bias": torch.full((6,), 1e300, dtype=torch.float64)}),
            r"'ln_f\.bias' holds NaN or infinity",
        ),
        (
            lambda t: t.update({"transformer.ln_f.bias": torch.ones(6, dtype=torch.int8)}),
            r"'transformer\.ln_f\.bias' is I8",
        ),
    ],
)
def test_a_checkpoint_that_is_not_the_model_is_refused_naming_file_and_tensor(change, message, folder):
    edit(folder, change)
    with pytest.raises(CheckpointError, match=message):
        load_native(folder, threads=1)


def test_a_pickle_is_left_to_torch(tmp_path):
    peer = random_peer(TINY, dtype=torch.float32)
    peer.config.save_pretrained(tmp_path)
    torch.save(peer.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="is a pickle, which only PyTorch reads; save the model as safetensors"):
        load_native(tmp_path)


def test_a_tensor_in_two_files_is_refused(folder):
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    twice = dict(list(tensors.items())[:1])
    save_file(tensors, folder / "a.safetensors")
    save_file(twice, folder / "b.safetensors")
    files = {name: "b.safetensors" if name in twice else "a.safetensors" for name in tensors}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    with pytest.raises(CheckpointError, match=r"is in both .*\.safetensors and .*\.safetensors"):
        load_native(folder)


def test_a_file_that_became_shorter_is_refused(folder):
    file = ArrayFile(folder / "model.safetensors")
    file.path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="cannot be mapped"):
        file.array("transformer.wte.weight")


def test_what_is_not_there_is_refused(folder):
    with pytest.raises(ModelNotFoundError):
        load_native(folder / "missing")
    with pytest.raises(ConfigError, match="no precision 'int2'"):
        load_native(folder, precision="int2")
