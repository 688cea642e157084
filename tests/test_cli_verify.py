import json

import numpy as np
import pytest

from command_line import mistake, run
from verified import change_tensors, good_checkpoint


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "reference.json").write_text(good_checkpoint(tmp_path / "model").to_json())
    return tmp_path / "model"


def damage(folder):
    change_tensors(folder, lambda arrays: arrays.update({"wpe.weight": np.roll(arrays["wpe.weight"], 1, axis=0)}))


def test_a_good_model_passes_with_one_line_a_check(folder):
    result = run("verify", folder, "--reference", folder.parent / "reference.json", "--precision", "float32")
    assert (result.code, result.err) == (0, "")
    *lines, empty, summary = result.out.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "-"}
    assert empty == ""
    assert "0 failed" in summary


def test_a_damaged_one_fails_and_says_what_was_expected_and_what_usually_causes_it(folder):
    damage(folder)
    result = run("verify", folder, "--reference", folder.parent / "reference.json")
    assert result.code == 1
    assert "FAILED  hidden states embed+pos_embed" in result.out
    assert "        expected at most 0.0001 from the reference's numbers" in result.out
    assert "        usually  damaged tables wte or wpe, or positions counted from another place" in result.out
    assert "look first at 'recorded tensors'" in result.out
    assert result.out.endswith("\nthe reference's numbers come out if positions begin 1 later in wpe\n")


def test_json_holds_every_check(folder):
    damage(folder)
    result = run("verify", folder, "--reference", folder.parent / "reference.json", "--json")
    assert result.code == 1
    told = json.loads(result.out)
    assert told["passed"] is False
    failed = [check for check in told["checks"] if check["state"] == "failed"]
    assert all(check["expected"] and check["cause"] and check["seen"] for check in failed)


def test_a_model_that_is_said_to_be_gpt2_is_held_to_its_shape(folder):
    result = run("verify", folder, "--as", "gpt2")
    assert result.code == 1
    assert "FAILED  shapes" in result.out
    assert "n_layer=12" in result.out


def test_what_was_recorded_is_what_a_copy_is_held_to(folder, tmp_path):
    file = tmp_path / "mine.json"
    assert run("verify", folder, "--record", file).out == f"{file}\n"
    assert run("verify", folder, "--reference", file, "--precision", "float32").code == 0
    damage(folder)
    assert run("verify", folder, "--reference", file, "--precision", "float32").code == 1
    assert mistake("verify", folder, "--record", file).endswith("exists already; name a new file, or remove it first")


def test_mistakes_are_one_sentence(folder, tmp_path):
    assert "there is no model" in mistake("verify", "nowhere")
    assert "exclude each other" in mistake("verify", folder, "--as", "gpt2", "--reference", tmp_path / "reference.json")
    assert "did you mean 'gpt2" in mistake("verify", folder, "--as", "gtp2")
    assert "--reference: there is no file" in mistake("verify", folder, "--reference", tmp_path / "none.json")
    assert "is no SHA-256" in mistake("verify", folder, "--sha256", "abc")
    assert "there is no folder" in mistake("verify", folder, "--record", tmp_path / "none" / "file.json")
    (tmp_path / "damaged.json").write_text('{"name": "x", "tokens": [{"text": 3}]}')
    assert "no proper 'text'" in mistake("verify", folder, "--reference", tmp_path / "damaged.json")


def test_a_hash_that_is_not_the_files_fails(folder):
    result = run("verify", folder, "--sha256", "0" * 64, "--precision", "float32")
    assert result.code == 1
    assert "FAILED  file model.safetensors" in result.out
