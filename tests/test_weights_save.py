import json
import os
import resource
import stat
import subprocess
import sys

import pytest
import torch
import transformers

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError
from cutaway.model import GPT
from cutaway.tokenizer import Tokenizer
from cutaway.weights.load import load_model
from cutaway.weights.save import save_model
from cutaway.weights.tokenizer import load_tokenizer
from peers import random_peer, twin_of

TINY = GPTConfig(block_size=7, vocab_size=300, n_layer=2, n_head=3, n_embd=6, dropout=0.2)
SHAPES = [
    TINY,
    TINY.replace(tie_word_embeddings=False, n_inner=5),
    GPTConfig(block_size=5, vocab_size=301, n_layer=3, n_head=5, n_embd=35, layer_norm_epsilon=1e-3),
]
IDX = torch.tensor([[1, 2, 3, 4], [0, 250, 7, 7]])


@pytest.fixture
def model():
    torch.manual_seed(0)
    return GPT(TINY).eval()


@pytest.fixture
def tokenizer():
    return Tokenizer.train(["to be or not to be that is the question"] * 3, 262)


@pytest.mark.parametrize("config", SHAPES)
@pytest.mark.parametrize("max_shard_bytes", [1_000, 1_000_000])
def test_transformers_loads_what_we_save_and_gives_the_same_logits(config, max_shard_bytes, tmp_path):
    model = twin_of(random_peer(config, dtype=torch.float32), config)
    save_model(model, tmp_path / "m", max_shard_bytes=max_shard_bytes)
    theirs, report = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "m", output_loading_info=True)
    assert not any(report.values()), report
    with torch.inference_mode():
        torch.testing.assert_close(theirs.eval()(IDX).logits, model(IDX)[0], rtol=0, atol=1e-5)
    ours = load_model(tmp_path / "m")
    assert ours.config == config
    assert all(torch.equal(tensor, model.get_parameter(name)) for name, tensor in ours.named_parameters())
    assert (len(list((tmp_path / "m").glob("*.safetensors"))) > 1) == (max_shard_bytes == 1_000)


def test_no_shard_is_larger_than_asked_unless_it_is_one_tensor(model, tmp_path):
    save_model(model, tmp_path / "m", max_shard_bytes=2_000)
    index = json.loads((tmp_path / "m/model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == 4 * model.num_parameters()
    for file in (tmp_path / "m").glob("*.safetensors"):
        held = [name for name, where in index["weight_map"].items() if where == file.name]
        numbers = sum(model.get_parameter(name.removeprefix("transformer.")).numel() for name in held)
        assert len(held) == 1 or 4 * numbers <= 2_000


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_dtype_can_be_chosen_and_transformers_sees_it(dtype, model, tmp_path):
    save_model(model, tmp_path / "m", dtype=dtype)
    assert load_model(tmp_path / "m", dtype="auto").dtype == dtype
    assert transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "m", dtype="auto").dtype == dtype


def test_the_tokenizer_and_the_generation_config_go_along(model, tokenizer, tmp_path):
    save_model(model, tmp_path / "m", tokenizer)
    assert load_tokenizer(tmp_path / "m").fingerprint == tokenizer.fingerprint
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "m")
    assert theirs("to be or not").input_ids == tokenizer.encode("to be or not")
    assert transformers.GenerationConfig.from_pretrained(tmp_path / "m").eos_token_id == tokenizer.eot == 261


def test_saved_loaded_and_saved_again_it_is_the_same_file(model, tmp_path):
    save_model(model, tmp_path / "a")
    save_model(load_model(tmp_path / "a"), tmp_path / "b")
    assert (tmp_path / "a/model.safetensors").read_bytes() == (tmp_path / "b/model.safetensors").read_bytes()


def test_folders_on_the_way_are_made_and_others_may_read_them(model, tmp_path):
    save_model(model, tmp_path / "x/y/m")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "x/y/m").stat().st_mode) == 0o777 & ~umask
    assert [folder.name for folder in (tmp_path / "x/y").iterdir()] == ["m"]


def test_a_folder_with_something_in_it_is_kept_unless_told_otherwise(model, tmp_path):
    save_model(model, tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    with torch.no_grad():
        model.wte.weight += 1
    with pytest.raises(CheckpointError, match="is not empty; give another folder, or overwrite=True"):
        save_model(model, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before
    save_model(model, tmp_path, overwrite=True)
    assert (tmp_path / "model.safetensors").read_bytes() != before


def test_overwriting_leaves_no_shards_of_the_old_checkpoint(model, tmp_path):
    save_model(model, tmp_path / "m", max_shard_bytes=1_000)
    save_model(model, tmp_path / "m", overwrite=True)
    assert sorted(file.name for file in (tmp_path / "m").iterdir()) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["m"]


def test_a_model_can_be_saved_over_the_files_it_is_mapped_from(model, tmp_path):
    save_model(model, tmp_path / "m")
    mapped = load_model(tmp_path / "m")
    save_model(mapped, tmp_path / "m", overwrite=True)
    torch.testing.assert_close(load_model(tmp_path / "m")(IDX), model(IDX), rtol=0, atol=1e-6)


def test_what_is_no_checkpoint_is_not_overwritten(model, tmp_path):
    save_model(model, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(
        CheckpointError, match=r"holds 'notes\.txt', which is no part of a checkpoint and would be lost"
    ):
        save_model(model, tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_in_the_way_is_named(model, tmp_path):
    (tmp_path / "m").write_text("")
    with pytest.raises(CheckpointError, match="m is a file; give a folder"):
        save_model(model, tmp_path / "m", overwrite=True)
    with pytest.raises(CheckpointError, match="cannot be saved"):
        save_model(model, tmp_path / "m/below")


def test_a_tokenizer_that_does_not_belong_is_refused(model, tmp_path):
    with pytest.raises(CheckpointError, match=r"the tokenizer has 50,257 tokens, the model only 300"):
        save_model(model, tmp_path / "m", Tokenizer.gpt2())
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("bad", "dtype"), [(torch.nan, None), (torch.inf, None), (1e9, torch.float16)])
def test_weights_that_could_not_be_loaded_are_not_saved(bad, dtype, model, tmp_path):
    with torch.no_grad():
        model.h[1].mlp.c_fc.weight[0, 0] = bad
    with pytest.raises(CheckpointError, match=r"tensor 'h\.1\.mlp\.c_fc\.weight' holds NaN or infinity as torch"):
        save_model(model, tmp_path / "m", dtype=dtype)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "step", ["save.write_texts", "save._write_weights", "model_folder._sync", "model_folder._swap"]
)
def test_when_writing_fails_the_old_checkpoint_is_there_and_nothing_else(step, model, tmp_path, monkeypatch):
    save_model(model, tmp_path / "m")
    before = {file.name: file.read_bytes() for file in (tmp_path / "m").iterdir()}

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"cutaway.weights.{step}", fail)
    with pytest.raises(
        CheckpointError, match=r"cannot be saved to .*m: No space left on device; what was there is unchanged"
    ):
        save_model(model, tmp_path / "m", overwrite=True)
    assert {file.name: file.read_bytes() for file in (tmp_path / "m").iterdir()} == before
    assert [file.name for file in tmp_path.iterdir()] == ["m"]


def test_when_the_last_renaming_fails_the_old_checkpoint_gets_its_name_back(model, tmp_path, monkeypatch):
    save_model(model, tmp_path / "m")
    rename = type(tmp_path).rename

    def fail_for_the_new(self, target):
        if self.name == "new":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(type(tmp_path), "rename", fail_for_the_new)
    with pytest.raises(CheckpointError, match="Input/output error"):
        save_model(model, tmp_path / "m", overwrite=True)
    assert load_model(tmp_path / "m").config == TINY
    assert [file.name for file in tmp_path.iterdir()] == ["m"]


FULL_DISK = f"""
import resource, signal, sys
from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError
from cutaway.model import GPT
from cutaway.weights import save_model
model = GPT(GPTConfig(**{TINY.to_dict()!r}))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
try:
    save_model(model, sys.argv[1])
except CheckpointError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="this system cannot limit the size of files")
def test_a_disk_that_is_really_full_is_reported_and_leaves_nothing(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "m")], capture_output=True, text=True, check=True
    )
    assert "cannot be saved to" in result.stdout
    assert "File too large" in result.stdout
    assert not any(tmp_path.iterdir())
