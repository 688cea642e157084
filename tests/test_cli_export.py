import json

import pytest
import torch
import transformers

import cutaway
from command_line import mistake, run, tiny
from cutaway.cli.export import READERS


def logits(source):
    with torch.inference_mode():
        return cutaway.load(source, device="cpu").model(torch.tensor([[1, 2, 3, 4]]))[0]


def test_a_folder_is_loaded_by_transformers(tmp_path):
    result = run("export", tiny(), "--to", "hf", "-o", tmp_path / "m")
    assert result.code == 0
    assert result.out.startswith(f"{tmp_path / 'm'}: ")
    theirs = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "m").eval()
    with torch.inference_mode():
        torch.testing.assert_close(theirs(torch.tensor([[1, 2, 3, 4]])).logits, logits(tiny()), rtol=0, atol=1e-5)
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "m").encode("the cat") == cutaway.load(
        tiny(), device="cpu"
    ).tokenizer.encode("the cat")


def test_the_dtype_of_a_folder_can_be_chosen(tmp_path):
    assert run("export", tiny(), "--to", "hf", "-o", tmp_path / "m", "--dtype", "bfloat16").code == 0
    assert json.loads((tmp_path / "m/config.json").read_text())["dtype"] == "bfloat16"


def test_gguf_is_read_back(tmp_path):
    file = tmp_path / "m.gguf"
    result = run("export", tiny(), "--to", "gguf", "-o", file, "--dtype", "f32", "--json")
    told = json.loads(result.out)
    assert told == {"model": tiny(), "to": "gguf", "files": [str(file)], "size_bytes": file.stat().st_size}
    assert torch.equal(logits(file), logits(tiny()))


def test_a_gguf_file_is_a_model_to_every_command(tmp_path):
    file = tmp_path / "m.gguf"
    run("export", tiny(), "--to", "gguf", "-o", file)
    assert "2 layers, 2 heads, 16 channels" in run("info", file).out
    assert (
        run("tokenize", "the cat", "--model", file, "--ids").out
        == run("tokenize", "the cat", "--model", tiny(), "--ids").out
    )
    assert run("generate", "the", "--model", file, "--max-tokens", "3").out.startswith("the")


def test_onnx_comes_with_a_cache_when_asked(tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'cutaway[export]'")
    for name, flags in {"plain.onnx": [], "cached.onnx": ["--cache"]}.items():
        assert run("export", tiny(), "--to", "onnx", "-o", tmp_path / name, *flags).code == 0
    inputs = {name: len(onnx.load(tmp_path / name).graph.input) for name in ("plain.onnx", "cached.onnx")}
    assert inputs == {"plain.onnx": 1, "cached.onnx": 5}


@pytest.mark.parametrize("to", READERS)
def test_what_is_there_stays_unless_it_may_be_replaced(to, tmp_path):
    if to == "onnx":
        pytest.importorskip("onnx", reason="onnx is not installed: pip install 'cutaway[export]'")
    target = tmp_path / "m"
    assert run("export", tiny(), "--to", to, "-o", target).code == 0
    assert "overwrite" in mistake("export", tiny(), "--to", to, "-o", target)
    assert run("export", tiny(), "--to", to, "-o", target, "--overwrite").code == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--to", "tflite"], '"tflite"'),
        (["--to", "gguf", "--dtype", "Q5_0"], "GGUF has no 'Q5_0' here; did you mean"),
        (["--to", "gguf", "--dtype", "Q8_0"], "rows of 16, which cannot be cut into the blocks of 32"),
        (["--to", "gguf", "--cache"], "--cache is for onnx"),
        (["--to", "onnx", "--dtype", "float16"], "--dtype float16 is not for onnx"),
        (["--to", "hf", "--dtype", "int8"], "cutaway quantize makes smaller checkpoints"),
        (["--to", "hf", "--dtype", "int9"], "there is no dtype 'int9'"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, sentence, tmp_path):
    assert sentence in mistake("export", tiny(), *arguments, "-o", tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_the_missing_extra_is_named_before_torch_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    told = mistake("export", tiny(), "--to", "onnx", "-o", tmp_path / "m")
    assert told == "writing ONNX needs onnx, which is not installed: pip install 'cutaway[export]'"


def test_a_model_that_is_not_there_is_told(tmp_path):
    assert "there is no model" in mistake("export", "nothing-like-it", "--to", "gguf", "-o", tmp_path / "m")
