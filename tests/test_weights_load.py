import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError, ConfigError, ModelNotFoundError
from cutaway.weights.load import empty_model, load_model
from peers import random_peer

TINY = GPTConfig(block_size=7, vocab_size=11, n_layer=2, n_head=3, n_embd=6)
SHAPES = [
    TINY,
    TINY.replace(tie_word_embeddings=False),
    TINY.replace(n_layer=1, n_inner=5, layer_norm_epsilon=1e-3, dropout=0.5),
    GPTConfig(block_size=5, vocab_size=301, n_layer=3, n_head=5, n_embd=35),
]


def logits_of(model, config):
    idx = torch.arange(2 * config.block_size).reshape(2, -1) % config.vocab_size
    with torch.inference_mode():
        output = model(idx)
    return output[0] if isinstance(output, tuple) else output.logits


def assert_same(model, peer, config):
    torch.testing.assert_close(logits_of(model, config), logits_of(peer, config), rtol=0, atol=1e-5)


@pytest.fixture
def peer():
    return random_peer(TINY, dtype=torch.float32)


@pytest.fixture
def folder(peer, tmp_path):
    peer.save_pretrained(tmp_path)
    return tmp_path


def edit(folder, change):
    """Change the tensors of a checkpoint."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("config", SHAPES)
@pytest.mark.parametrize("shard_size", ["1KB", "1GB"])
def test_what_transformers_saves_gives_the_same_logits(config, shard_size, tmp_path):
    peer = random_peer(config, dtype=torch.float32)
    peer.save_pretrained(tmp_path, max_shard_size=shard_size)
    assert (tmp_path / "model.safetensors.index.json").exists() == (shard_size == "1KB")
    model = load_model(tmp_path)
    assert model.config == config
    assert not model.training
    assert_same(model, peer, config)


@pytest.mark.parametrize("config", SHAPES[:2])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_legacy_checkpoint_gives_the_same_logits(config, zipped, tmp_path):
    peer = random_peer(config, dtype=torch.float32)
    peer.config.save_pretrained(tmp_path)
    torch.save(peer.state_dict(), tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    assert_same(load_model(tmp_path), peer, config)


def test_a_sharded_legacy_checkpoint_gives_the_same_logits(peer, tmp_path):
    peer.config.save_pretrained(tmp_path)
    weight_map = {}
    for number, name in enumerate(peer.state_dict()):
        weight_map[name] = f"pytorch_model-{number % 3}.bin"
    for file in set(weight_map.values()):
        torch.save({name: peer.state_dict()[name] for name in weight_map if weight_map[name] == file}, tmp_path / file)
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert_same(load_model(tmp_path), peer, TINY)


def test_names_without_prefix_and_with_the_old_buffers_load(folder, peer):
    def as_openai_published(tensors):
        for key in list(tensors):
            tensors[key.removeprefix("transformer.")] = tensors.pop(key)
        tensors["h.0.attn.bias"] = torch.ones(1, 1, 7, 7, dtype=torch.uint8)
        tensors["h.1.attn.masked_bias"] = torch.tensor(-1e4)

    edit(folder, as_openai_published)
    assert_same(load_model(folder), peer, TINY)


def test_a_weight_file_will_do_for_its_folder(folder, peer):
    (folder / "model.safetensors").rename(folder / "step-100.safetensors")
    assert_same(load_model(folder / "step-100.safetensors"), peer, TINY)
    assert_same(load_model(str(folder / "step-100.safetensors")), peer, TINY)


def test_a_tied_head_that_is_stored_too_must_be_the_embedding(folder, peer):
    edit(folder, lambda tensors: tensors.update({"lm_head.weight": tensors["transformer.wte.weight"].clone()}))
    model = load_model(folder)
    assert model.lm_head.weight is model.wte.weight
    assert_same(model, peer, TINY)
    edit(folder, lambda tensors: tensors["lm_head.weight"].add_(1))
    with pytest.raises(CheckpointError, match=r"model\.safetensors: tensor 'lm_head.weight' differs from 'wte.weight'"):
        load_model(folder)


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float64])
def test_stored_in_another_dtype_it_is_computed_in_float32_unless_asked_otherwise(stored, tmp_path):
    peer = random_peer(TINY, dtype=stored)
    peer.save_pretrained(tmp_path)
    assert load_model(tmp_path).dtype == torch.float32
    assert load_model(tmp_path, dtype="auto").dtype == stored
    assert load_model(tmp_path, dtype=torch.bfloat16).dtype == torch.bfloat16
    assert_same(load_model(tmp_path), peer.float(), TINY)


def test_weights_are_mapped_and_training_them_leaves_the_file_alone(folder):
    before = (folder / "model.safetensors").read_bytes()
    model = load_model(folder)
    storages = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    assert len(storages) == 1
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    model.train()(torch.tensor([[1, 2]]), torch.tensor([[2, 3]]))[1].backward()
    optimizer.step()
    assert (folder / "model.safetensors").read_bytes() == before
    assert not torch.equal(model.wte.weight, load_model(folder).wte.weight)


def test_a_loaded_model_holds_nothing_without_memory(folder):
    assert all(not tensor.is_meta for tensor in load_model(folder).state_dict().values())


def test_an_empty_model_has_the_names_and_no_memory():
    model = empty_model(TINY)
    assert all(parameter.is_meta for parameter in model.parameters())
    assert model.lm_head.weight is model.wte.weight


def test_the_number_of_threads_is_left_as_it_was(folder):
    before = torch.get_num_threads()
    load_model(folder)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("transformer.h.1.ln_2.bias"), "has no tensor 'h.1.ln_2.bias'"),
        (lambda t: t.update({"score.weight": torch.ones(2)}), "has a tensor 'score.weight'"),
        (lambda t: t.update({"transformer.wpe.weight": torch.ones(9, 6)}), "'wpe.weight' has the shape (9, 6)"),
        (lambda t: t.update({"wte.weight": torch.ones(11, 6)}), "holds both"),
        (
            lambda t: t["transformer.h.0.mlp.c_fc.weight"].fill_(torch.nan),
            "'transformer.h.0.mlp.c_fc.weight' holds NaN",
        ),
        (
            lambda t: t.update({"transformer.ln_f.bias": torch.ones(6, dtype=torch.int8)}),
            "'transformer.ln_f.bias' is I8",
        ),
    ],
)
def test_a_checkpoint_that_is_not_the_model_is_refused_naming_file_and_tensor(change, message, folder):
    edit(folder, change)
    with pytest.raises(CheckpointError) as caught:
        load_model(folder)
    assert message in str(caught.value)
    assert str(folder / "model.safetensors") in str(caught.value)


@pytest.mark.parametrize(
    "lie", [{"n_layer": 3}, {"n_layer": 1}, {"n_embd": 9}, {"n_positions": 8}, {"vocab_size": 1 << 24}, {"n_inner": 7}]
)
def test_a_config_that_lies_about_the_shapes_is_found_out(lie, folder):
    config = json.loads((folder / "config.json").read_text()) | lie
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"model\.safetensors.*config\.json"):
        load_model(folder)


def test_a_truncated_file_is_refused_naming_file_and_tensor(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is truncated: tensor 'transformer\."):
        load_model(folder)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"dtype": "float31"}, "no dtype 'float31' for weights; did you mean 'float32'"),
        ({"dtype": torch.int8}, "weights cannot be torch.int8"),
        ({"device": "gpu"}, "device 'gpu' cannot be used here"),
        ({"device": "meta"}, "device 'meta' has no memory"),
        ({"device": "cuda:99"}, "device 'cuda:99' cannot be used here"),
    ],
)
def test_an_impossible_dtype_or_device_is_refused(wrong, message, folder):
    with pytest.raises(ConfigError, match=message):
        load_model(folder, **wrong)


def test_a_missing_folder_and_a_folder_without_config_are_told_apart(folder):
    with pytest.raises(ModelNotFoundError, match="no model folder or weight file"):
        load_model(folder / "nowhere")
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"there is no .*config\.json"):
        load_model(folder)


def test_a_loaded_model_outlives_its_files(folder):
    model = load_model(folder)
    expected = logits_of(model, TINY)
    shutil.rmtree(folder)
    torch.testing.assert_close(logits_of(model, TINY), expected)
