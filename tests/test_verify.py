"""Good checkpoints pass every check; each kind of damage is seen, and named, by the check it belongs to."""

import hashlib
import json

import numpy as np
import pytest
import torch

import tiny
from cutaway.errors import CheckpointError, ConfigError, ModelNotFoundError
from cutaway.tokenizer import Tokenizer
from cutaway.verify import Reference, make_reference, verify
from cutaway.verify.run import published_reference, read
from verified import LAYERS, change_config, change_tensors, good_checkpoint, without


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    return folder, good_checkpoint(folder)


def failures(folder, reference=None, **options):
    """The failed checks by name."""
    options = {"precisions": ()} | options
    return {check.name: check for check in verify(folder, reference=reference, **options) if check.state == "failed"}


def swap(a, b):
    """Swap two layers."""

    def change(arrays):
        for name in [name for name in arrays if name.startswith(f"h.{a}.")]:
            other = name.replace(f"h.{a}.", f"h.{b}.")
            arrays[name], arrays[other] = arrays[other], arrays[name]

    return change


def turn_over(arrays):
    arrays["h.1.attn.c_proj.weight"] = arrays["h.1.attn.c_proj.weight"].T


def swap_q_and_k(arrays):
    for layer in range(LAYERS):
        for part in ("weight", "bias"):
            name = f"h.{layer}.attn.c_attn.{part}"
            q, k, v = np.split(arrays[name], 3, axis=-1)
            arrays[name] = np.concatenate([k, q, v], axis=-1)


def shift_positions(arrays):
    arrays["wpe.weight"] = np.roll(arrays["wpe.weight"], 1, axis=0)


def test_a_good_checkpoint_passes_every_check_by_the_numbers_of_transformers(model):
    folder, reference = model
    checks = list(verify(folder, reference=reference))
    assert not [check for check in checks if check.state == "failed"]
    names = {check.name for check in checks if check.state == "passed"}
    assert {"shapes", "dtype", "finite values", "statistics", "head", "recorded tensors", "token ids"} <= names
    assert {"hidden states ln_f", "attention 1.2", "next tokens", "likely token", "greedy text", "loss"} <= names
    assert {"float64", "plain operations", "cached = uncached", "batched = single", "transformers"} <= names


@pytest.mark.parametrize("changes", [{"tie_word_embeddings": False}, {"n_inner": 50}, {"n_head": 1}])
def test_good_checkpoints_of_other_shapes_pass_too(tmp_path, changes):
    assert not failures(tmp_path / "model", good_checkpoint(tmp_path / "model", **changes))


@pytest.mark.parametrize(
    ("damage", "words", "explanation"),
    [
        (turn_over, "is turned over", "h.1.attn.c_proj.weight is turned over"),
        (swap(0, 2), "holds what h.2.", "layers 0 and 2 are swapped"),
        (swap_q_and_k, "has its thirds in the order k q v", "taken as k q v"),
        (shift_positions, "wpe.weight is shifted by one row", "positions begin 1 later"),
    ],
)
def test_what_is_in_another_place_is_named_by_hash_and_explained_by_numbers_alone(model, damage, words, explanation):
    folder, reference = model
    change_tensors(folder, damage)
    assert words in failures(folder, reference)["recorded tensors"].seen
    checks = list(verify(folder, reference=without(reference, "tensors"), precisions=()))
    wrong = [check.name for check in checks if check.state == "failed"]
    assert wrong[0].startswith("hidden states")
    (told,) = [check for check in checks if check.name == "diagnosis"]
    assert explanation in told.seen


def test_a_shifted_table_of_positions_shows_before_the_first_layer(model):
    folder, reference = model
    change_tensors(folder, shift_positions)
    assert "hidden states embed+pos_embed" in failures(folder, without(reference, "tensors"))


def test_a_flipped_exponent_bit_is_seen_without_any_reference(model):
    def flip(arrays):
        arrays["h.2.mlp.c_fc.weight"].view(np.uint32)[5, 7] ^= 1 << 30

    folder, _ = model
    change_tensors(folder, flip)
    assert "h.2.mlp.c_fc.weight at [5, 7]" in failures(folder)["statistics"].seen


def test_a_flipped_sign_bit_is_seen_by_the_hash_and_by_the_numbers(model):
    def flip(arrays):
        weights = arrays["h.0.mlp.c_proj.weight"]
        weights.view(np.uint32)[np.unravel_index(np.abs(weights).argmax(), weights.shape)] ^= 1 << 31

    folder, reference = model
    change_tensors(folder, flip)
    assert failures(folder, reference)["recorded tensors"].seen == "h.0.mlp.c_proj.weight has other numbers"
    checks = list(verify(folder, reference=without(reference, "tensors"), precisions=()))
    (told,) = [check for check in checks if check.name == "diagnosis"]
    assert told.state == "skipped"
    assert "first differ at h.0.resid_post" in told.seen


def test_what_is_not_a_number_is_named_and_the_network_is_not_computed(model):
    def spoil(arrays):
        arrays["h.1.ln_2.bias"][3] = np.nan

    folder, reference = model
    change_tensors(folder, spoil)
    checks = {check.name: check for check in verify(folder, reference=reference)}
    assert checks["finite values"].seen == "h.1.ln_2.bias has 1 NaN or infinite, the first at [3]"
    assert checks["network"].state == "skipped"


def test_a_tensor_that_was_never_filled_is_named(model):
    folder, _ = model
    change_tensors(folder, lambda arrays: arrays["h.1.mlp.c_proj.weight"].fill(0))
    assert "h.1.mlp.c_proj.weight is zero all over" in failures(folder)["statistics"].seen


def test_gains_that_are_no_gains_are_named(model):
    folder, _ = model
    change_tensors(folder, lambda arrays: arrays["h.1.ln_1.weight"].fill(-1))
    assert "h.1.ln_1.weight, gains of a LayerNorm, has the mean -1" in failures(folder)["statistics"].seen


def test_a_hole_in_a_file_is_seen_and_a_padded_vocabulary_is_not(model):
    folder, _ = model
    change_tensors(folder, lambda arrays: arrays["wte.weight"][-2:].fill(0))
    assert not failures(folder)
    change_tensors(folder, lambda arrays: arrays["h.1.mlp.c_fc.weight"][3:7].fill(0))
    assert "h.1.mlp.c_fc.weight has 4 rows of zeros, the first is row 3" in failures(folder)["statistics"].seen


def test_a_layer_at_another_scale_is_named(model):
    def scale(arrays):
        arrays["h.1.mlp.c_fc.weight"] *= 100

    folder, _ = model
    change_tensors(folder, scale)
    assert "h.1.mlp.c_fc.weight spreads by" in failures(folder)["statistics"].seen


def test_a_truncated_file_is_named(model):
    folder, reference = model
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    found = failures(folder, reference)
    assert list(found) == ["file headers"]
    assert "truncated" in found["file headers"].seen


def test_a_matrix_of_another_shape_is_named(model):
    def turn(arrays):
        arrays["h.1.mlp.c_fc.weight"] = arrays["h.1.mlp.c_fc.weight"].T

    folder, reference = model
    change_tensors(folder, turn)
    found = failures(folder, reference)["shapes"]
    assert "h.1.mlp.c_fc.weight" in found.seen
    assert "(in, out)" in found.cause


def test_the_exact_gelu_is_refused_where_the_configuration_names_it(model):
    folder, reference = model
    change_config(folder, activation_function="gelu")
    assert "activation_function='gelu'" in failures(folder, reference)["configuration"].seen


def exact_gelu(files, dtype):
    """A network with the mistake that others have made."""
    network = read(files, dtype)
    for block in network.h:
        block.mlp.gelu = torch.nn.GELU()
    return network


def test_a_network_with_the_exact_gelu_is_seen_with_and_without_a_reference(model):
    folder, reference = model
    assert list(failures(folder, load=exact_gelu)) == ["plain operations", "transformers"]
    checks = list(verify(folder, reference=reference, load=exact_gelu, precisions=()))
    assert "hidden states ln_f" in {check.name for check in checks if check.state == "failed"}
    (told,) = [check for check in checks if check.name == "diagnosis"]
    assert "the weights are right, the network is not" in told.seen


def test_weights_that_were_trained_with_the_exact_gelu_are_explained(model):
    folder, _ = model
    exact = make_reference(folder, "exact", load=exact_gelu)
    (told,) = [check for check in verify(folder, reference=exact, precisions=()) if check.name == "diagnosis"]
    assert "GELU is the exact form" in told.seen


def test_another_epsilon_in_the_configuration_is_named(model):
    folder, reference = model
    change_config(folder, layer_norm_epsilon=1e-3)
    assert "layer_norm_epsilon=0.001" in failures(folder, reference)["shapes"].seen
    checks = list(verify(folder, reference=without(reference, "config"), precisions=()))
    (told,) = [check for check in checks if check.name == "diagnosis"]
    assert "the LayerNorm epsilon is 1e-05, not 0.001" in told.seen


def test_another_tokenizer_is_named(model):
    folder, reference = model
    Tokenizer.train(["zzz yyy xxx " * 9 + "quite another text " * 5], 272).save(folder)
    found = failures(folder, reference)
    assert list(found) == ["token ids"]
    assert found["token ids"].expected.startswith(str(reference.tokens[0]["ids"][0]))


def test_a_tokenizer_of_another_size_is_named(model):
    folder, reference = model
    Tokenizer.train([tiny.STORY], 300).save(folder)
    assert "do not belong together" in failures(folder, reference)["vocabulary"].seen


def test_a_head_that_is_not_the_table_it_is_tied_to_is_named(model):
    def untie(arrays):
        arrays["lm_head.weight"] = arrays["wte.weight"] + 1

    folder, reference = model
    change_tensors(folder, untie)
    assert {"head", "network"} <= failures(folder, reference).keys()


def test_the_published_hash_tells_a_damaged_download_from_a_file_that_was_saved_anew(model):
    folder, _ = model
    size = (folder / "model.safetensors").stat().st_size
    files = {"model.safetensors": {"sha256": "0" * 64, "bytes": size}}
    found = failures(folder, Reference(name="good", files=files))
    assert "published" in found["file model.safetensors"].expected
    files["model.safetensors"]["bytes"] = size + 1
    assert not failures(folder, Reference(name="good", files=files))


def test_a_hash_that_was_asked_for_must_be_that_of_the_file(model):
    folder, _ = model
    right = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert not failures(folder, sha256=[right])
    wrong = "f" * 64
    assert list(failures(folder, sha256=[wrong, f"config.json={wrong}"])) == [
        "file model.safetensors",
        "file config.json",
    ]
    with pytest.raises(ConfigError, match="'12' is no SHA-256"):
        list(verify(folder, sha256=["12"]))
    with pytest.raises(ConfigError, match=r"there is no file 'other\.txt'"):
        list(verify(folder, sha256=[f"other.txt={wrong}"]))


def test_a_file_in_the_hubs_cache_must_have_the_hash_it_is_stored_under(model, tmp_path):
    folder, _ = model
    path = folder / "model.safetensors"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for name, wrong in ((digest, False), ("0" * 64, True)):
        blob = tmp_path / "blobs" / name
        blob.parent.mkdir(exist_ok=True)
        blob.write_bytes(path.read_bytes())
        path.unlink()
        path.symlink_to(blob)
        assert ("file model.safetensors" in failures(folder)) is wrong


def test_what_was_recorded_holds_for_a_copy_and_not_for_another_model(model, tmp_path):
    folder, _ = model
    reference = Reference.from_dict(json.loads(make_reference(folder, "mine").to_json()))
    assert not failures(folder, reference)
    change_tensors(folder, turn_over)
    assert {"recorded tensors", "hidden states h.1.resid_post", "hidden states ln_f"} <= failures(
        folder, reference
    ).keys()


def test_the_reference_of_another_model_is_refused_in_words(model):
    folder, reference = model
    long = without(reference, "config", "parameters", "tensors", "tokens")
    long = Reference(name="long", next=[{"ids": [1] * 99, "tokens": [1]}])
    assert failures(folder, long)["reference"].cause == "the reference of another model"


@pytest.mark.parametrize(
    ("part", "entry", "needed"),
    [
        ("next", {"ids": [1] * 99, "tokens": [1]}, "room for a text of 99 tokens"),
        ("next", {"ids": [1, 99_999], "tokens": [1]}, "tokens 1 to 99,999"),
        ("attention", {"ids": [1], "layer": 9, "head": 0, "decimals": 3, "rows": [[1.0]]}, "a head 0 in a layer 9"),
        ("attention", {"ids": [1], "layer": 0, "head": 0, "decimals": 3, "rows": [[1.0], [1.0]]}, "a row 1 for a text"),
        ("hidden", {"ids": [1], "place": "ln_f", "decimals": 4, "rows": [{"row": 4, "first": [0.1]}]}, "a row 4 for"),
        ("among", {"ids": [1], "token": 1, "top": 0}, "0 likeliest tokens"),
    ],
)
def test_what_a_reference_needs_and_the_model_has_not_is_said(model, part, entry, needed):
    folder, _ = model
    reference = Reference.from_dict({"name": "other", part: [entry]})
    assert needed in failures(folder, reference)["reference"].expected


def test_published_models_are_known_by_name_and_id_and_no_folder_is():
    assert published_reference("gpt2").parameters == 124_439_808
    assert published_reference("openai-community/gpt2@main").name == "gpt2"
    assert published_reference("gpt2-xl").parameters == 1_557_611_200
    assert published_reference("./gpt2") is None


def test_a_model_that_is_not_there_is_a_mistake():
    with pytest.raises(ModelNotFoundError):
        list(verify("./nowhere"))


def test_a_reference_with_a_damaged_part_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no part 'hiden'; did you mean 'hidden'"):
        Reference.from_dict({"name": "x", "hiden": []})
    with pytest.raises(CheckpointError, match="an entry of 'loss' has no proper 'tolerance'"):
        Reference.from_dict({"name": "x", "loss": [{"ids": [1, 2], "loss": 3}]})
    with pytest.raises(CheckpointError, match="an entry of 'next' has no proper 'ids'"):
        Reference.from_dict({"name": "x", "next": [{"ids": ["1"], "tokens": [2]}]})
    with pytest.raises(CheckpointError, match="an entry of 'attention' has no proper 'rows'"):
        Reference.from_dict(
            {"name": "x", "attention": [{"ids": [1], "layer": 0, "head": 0, "decimals": 3, "rows": [["a"]]}]}
        )
    with pytest.raises(CheckpointError, match="needs a 'name'"):
        Reference.from_dict({})
    with pytest.raises(CheckpointError, match="no numbers are known for 'gpt3'; did you mean 'gpt2'"):
        Reference.published("gpt3")
