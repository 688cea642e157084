import numpy as np
import pytest
import torch

from cutaway.errors import CheckpointError, MissingExtraError
from cutaway.weights import save_onnx
from cutaway.weights.onnx.save import data_file_of
from tiny import tiny_model

SHAPES = [{}, {"tie_word_embeddings": False, "n_inner": 20}, {"layer_norm_epsilon": 0.1, "n_head": 1, "n_layer": 3}]
IDS = np.random.default_rng(0).integers(0, 270, (3, 20))

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'cutaway[export]'")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def session(file):
    onnx.checker.check_model(file, full_check=True)
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def our_logits(model, ids):
    with torch.inference_mode():
        return model(torch.tensor(ids))[0].numpy()


def empty_cache(config, rows):
    nothing = np.zeros((rows, config.n_head, 0, config.head_size), np.float32)
    return {f"past_key_values.{layer}.{kind}": nothing for layer in range(config.n_layer) for kind in ("key", "value")}


def read_on(running, ids, cache):
    """Logits after new tokens, and the cache with them in it."""
    logits, *presents = running.run(None, {"input_ids": ids, **cache})
    return logits, dict(zip(cache, presents, strict=True))


@pytest.mark.parametrize("changes", SHAPES)
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("length", [1, 20])
def test_onnx_runtime_gives_the_same_logits(changes, rows, length, tmp_path):
    model = tiny_model(dtype=torch.float32, **changes)
    save_onnx(model, tmp_path / "m.onnx")
    logits = session(tmp_path / "m.onnx").run(None, {"input_ids": IDS[:rows, :length]})[0]
    np.testing.assert_allclose(logits, our_logits(model, IDS[:rows, :length]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("changes", SHAPES)
@pytest.mark.parametrize("cuts", [[20], [1, 2, 3, 20], [12, 13, 20], [*range(1, 21)]])
def test_with_a_cache_any_pieces_give_the_logits_of_the_whole(changes, cuts, tmp_path):
    model = tiny_model(dtype=torch.float32, **changes)
    save_onnx(model, tmp_path / "m.onnx", cache=True)
    running, cache, parts = session(tmp_path / "m.onnx"), empty_cache(model.config, 3), []
    for begin, end in zip([0, *cuts], cuts, strict=False):
        logits, cache = read_on(running, IDS[:, begin:end], cache)
        parts.append(logits)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), our_logits(model, IDS), rtol=0, atol=1e-4)
    assert {array.shape[2] for array in cache.values()} == {20}


@pytest.mark.parametrize("cache", [False, True])
def test_weights_in_a_file_of_their_own_give_the_same_logits(cache, tmp_path):
    model = tiny_model(dtype=torch.float32)
    save_onnx(model, tmp_path / "whole.onnx", cache=cache)
    save_onnx(model, tmp_path / "m.onnx", cache=cache, max_embedded_bytes=1000)
    assert not data_file_of(tmp_path / "whole.onnx").exists()
    assert data_file_of(tmp_path / "m.onnx").stat().st_size >= 4 * model.num_parameters()
    feed = {"input_ids": IDS, **(empty_cache(model.config, 3) if cache else {})}
    whole, apart = (session(tmp_path / name).run(None, feed)[0] for name in ("whole.onnx", "m.onnx"))
    np.testing.assert_array_equal(whole, apart)


def test_the_opset_is_the_one_that_is_stated(tmp_path):
    save_onnx(tiny_model(), tmp_path / "m.onnx")
    assert [opset.version for opset in onnx.load(tmp_path / "m.onnx").opset_import] == [20]


@pytest.mark.parametrize("limit", [1, 1 << 30])
def test_a_weight_that_is_not_finite_is_refused_and_nothing_is_left(limit, tmp_path):
    model = tiny_model(dtype=torch.float32)
    model.ln_f.bias.data[3] = torch.nan
    with pytest.raises(CheckpointError, match=r"'ln_f\.bias' holds NaN"):
        save_onnx(model, tmp_path / "m.onnx", max_embedded_bytes=limit)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", ["m.onnx", "m.onnx.data"])
def test_files_that_are_there_stay(there, tmp_path):
    (tmp_path / there).write_bytes(b"mine")
    with pytest.raises(CheckpointError, match=f"{there} is there already"):
        save_onnx(tiny_model(), tmp_path / "m.onnx", max_embedded_bytes=1)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"mine"]


def test_the_missing_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"writing ONNX needs onnx, .*pip install 'cutaway\[export\]'"):
        save_onnx(tiny_model(), tmp_path / "m.onnx")
