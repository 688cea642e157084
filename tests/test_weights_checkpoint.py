import json

import pytest
import torch
from safetensors.torch import save_file

from cutaway.errors import CheckpointError
from cutaway.weights.checkpoint import Checkpoint, is_finite

CPU = torch.device("cpu")


@pytest.fixture
def index(tmp_path):
    save_file({"a": torch.ones(2), "b": torch.zeros(3)}, tmp_path / "1.safetensors")
    torch.save({"c": torch.full((4,), 7.0)}, tmp_path / "2.bin")

    def write_index(**weight_map):
        path = tmp_path / "model.safetensors.index.json"
        path.write_text(json.dumps({"weight_map": weight_map}))
        return path

    return write_index


def test_the_tensors_of_all_files_are_one_checkpoint(index):
    checkpoint = Checkpoint(index(a="1.safetensors", b="1.safetensors", c="2.bin"))
    assert checkpoint.shapes == {"a": (2,), "b": (3,), "c": (4,)}
    assert checkpoint.tensor("c", torch.float64, CPU).tolist() == [7.0] * 4


def test_an_index_that_disagrees_with_the_files_is_refused(index):
    with pytest.raises(CheckpointError, match=r"puts tensor 'a' into 2\.bin, where it is not"):
        Checkpoint(index(b="1.safetensors", a="2.bin"))


def test_a_tensor_in_two_files_is_refused(index, tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "2.bin")
    with pytest.raises(CheckpointError, match=r"tensor 'a' is in both .*1\.safetensors and .*2\.bin"):
        Checkpoint(index(a="1.safetensors", c="2.bin"))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_tensor_with_a_number_that_is_not_finite_is_named(bad, dtype, tmp_path):
    values = torch.zeros(1000, dtype=dtype)
    values[777] = bad
    save_file({"w": values}, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match=r"w\.safetensors: tensor 'w' holds NaN or infinity as torch"):
        Checkpoint(tmp_path / "w.safetensors").tensor("w", None, CPU)


def test_a_number_too_large_for_the_dtype_asked_for_is_refused(tmp_path):
    save_file({"w": torch.tensor([70_000.0])}, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match=r"infinity as torch\.float16.*wider range"):
        Checkpoint(tmp_path / "w.safetensors").tensor("w", torch.float16, CPU)


def test_finite_numbers_whose_sum_overflows_are_finite():
    assert is_finite(torch.full((1000,), 3e38))
    assert is_finite(torch.full((1000,), 6e4, dtype=torch.float16))
    assert is_finite(torch.full((10,), 1e300, dtype=torch.float64))
