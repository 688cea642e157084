import json

import pytest

from command_line import CORPUS, mistake, run, tiny
from cutaway.language_model import load, load_generator
from cutaway.native import available
from cutaway.quant import checkpoint
from cutaway.quant.checkpoint import QuantizeParams, quantize_checkpoint
from cutaway.weights.model_folder import refuse_unwritable

FAST = ["--tokens", 640]


def test_it_writes_a_folder_that_loads_and_says_what_it_cost(tmp_path):
    out = tmp_path / "small"
    result = run("quantize", tiny(), "-o", out, *FAST)
    assert result.code == 0
    assert "h.1.mlp.c_proj" in result.err
    lines = result.out.splitlines()
    assert lines[0].split() == ["matrix", "weights", "outputs"]
    assert [line.split()[0] for line in lines[1:10]][:2] == ["wte.weight", "h.0.attn.c_attn.weight"]
    assert any(line.startswith("perplexity") and "->" in line for line in lines)
    assert lines[-1] == f"written to {out}"
    gpt = load_generator(out, device="cpu")
    assert gpt.generate("once", max_tokens=3, seed=0).samples
    if available():
        assert gpt.model.precision == "int8"


def test_the_report_is_printed_as_json_and_lies_beside_the_weights(tmp_path):
    out = tmp_path / "small"
    result = run("quantize", tiny(), "--bits", 4, "--method", "nearest", "-o", out, "--json", *FAST)
    report = json.loads(result.out)
    assert report == json.loads((out / "quantization.json").read_text())
    assert report["params"]["bits"] == 4
    assert report["params"]["calibration"] == report["params"]["text"] == "written by the model"
    assert report["bytes_after"] < (out / "model.safetensors").stat().st_size < report["bytes_after"] + 10_000
    assert {"perplexity", "kl_nats", "argmax_agreement", "perplexity_increase"} < report["cost"].keys()
    assert len(report["tensors"]) == 9
    assert report["measured_with"] == ("kernels" if available() else "PyTorch")


def test_texts_can_be_given(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(CORPUS[0] * 20)
    out = tmp_path / "small"
    result = run("quantize", tiny(), "--calibration", file, "--text", file, "-o", out, "--json", *FAST)
    params = json.loads(result.out)["params"]
    assert params["calibration"] == params["text"] == [str(file)]


def test_without_a_folder_it_is_named_after_the_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("quantize", tiny(), "--bits", 4, *FAST).code == 0
    (made,) = tmp_path.iterdir()
    assert made.name.endswith("-int4")


def test_what_is_quantised_is_not_quantised_again(tmp_path):
    quantize_checkpoint(tiny(), tmp_path / "a", QuantizeParams(tokens=64))
    sentence = mistake("quantize", tmp_path / "a", "-o", tmp_path / "b")
    assert "is quantised to int8 already; take the model it was made from" in sentence


def test_a_folder_in_use_is_refused_before_any_work(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert "is not empty" in mistake("quantize", tiny(), "-o", tmp_path)


@pytest.mark.parametrize("place", ["a file", "a file/in it/model", "x" * 300, f"{'x' * 300}/model"])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(place, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "load_model", None)
    (tmp_path / "a file").write_text("mine")
    sentence = mistake("quantize", tiny(), "-o", tmp_path / place)
    assert "is a file; give a folder" in sentence or "the model cannot be saved to" in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["a file"]


def test_trying_whether_a_place_can_be_written_leaves_nothing_there(tmp_path):
    refuse_unwritable(tmp_path / "a/b/c")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bits", 5], "5"),
        (["--tokens", 0], "tokens=0 leaves nothing to read; give 1 or more"),
        (["--seed", -1], "seed=-1 is negative; give 0 or more"),
        (["--calibration", "nowhere.txt"], "nowhere.txt cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, message, tmp_path):
    assert message in mistake("quantize", tiny(), "-o", tmp_path / "x", *arguments)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_pytorch_says_that_it_does_not_compute_in_whole_numbers(dtype):
    options = ["--dtype", dtype, "--model", tiny(), "--device", "cpu", "--beams", 2]
    assert f"PyTorch does not compute in {dtype}; native kernels do" in mistake("generate", "once", *options)


def test_loading_for_everything_gives_pytorch(tmp_path):
    quantize_checkpoint(tiny(), tmp_path / "a", QuantizeParams(tokens=64))
    assert load(tmp_path / "a").score("once upon")
