import io
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import CheckpointError
from cutaway.weights.legacy_file import LegacyFile

CPU = torch.device("cpu")


class Exploit:
    def __reduce__(self):
        return (pytest.fail, ("code from a checkpoint was run",))


@pytest.mark.parametrize("zipped", [True, False])
def test_both_of_pytorchs_formats_are_read(zipped, tmp_path):
    torch.save({"w": torch.arange(3.0)}, tmp_path / "w.bin", _use_new_zipfile_serialization=zipped)
    file = LegacyFile(tmp_path / "w.bin")
    assert file.shapes == {"w": (3,)}
    assert file.tensor("w", torch.float16, CPU).tolist() == [0, 1, 2]


def test_a_stored_view_becomes_plain_and_needs_no_gradient(tmp_path):
    torch.save({"w": torch.nn.Parameter(torch.arange(6.0).reshape(2, 3).t())}, tmp_path / "w.bin")
    tensor = LegacyFile(tmp_path / "w.bin").tensor("w", None, CPU)
    assert tensor.is_contiguous()
    assert not tensor.requires_grad
    assert tensor.tolist() == [[0, 3], [1, 4], [2, 5]]


@pytest.mark.parametrize("content", [{"w": Exploit()}, Exploit()])
def test_code_in_a_file_is_not_run(content, tmp_path):
    torch.save(content, tmp_path / "w.bin")
    with pytest.raises(CheckpointError, match=r"w\.bin is damaged, or a pickle with more in it than tensors"):
        LegacyFile(tmp_path / "w.bin")


def test_a_bare_pickle_is_not_run(tmp_path):
    (tmp_path / "w.bin").write_bytes(pickle.dumps(Exploit()))
    with pytest.raises(CheckpointError, match=r"w\.bin is damaged, or a pickle with more in it than tensors"):
        LegacyFile(tmp_path / "w.bin")


@pytest.mark.parametrize(
    "content", [[torch.ones(1)], {"w": 3}, {7: torch.ones(1)}, {"w": torch.ones(2, 2).to_sparse()}]
)
def test_anything_but_dense_tensors_by_name_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "w.bin")
    with pytest.raises(CheckpointError, match=r"w\.bin.*not a GPT-2's weight file"):
        LegacyFile(tmp_path / "w.bin")


def test_whole_numbers_are_no_weights(tmp_path):
    torch.save({"w": torch.arange(3)}, tmp_path / "w.bin")
    with pytest.raises(CheckpointError, match=r"w\.bin: tensor 'w' is torch\.int64"):
        LegacyFile(tmp_path / "w.bin").tensor("w", None, CPU)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"gone\.bin"):
        LegacyFile(tmp_path / "gone.bin")


def saved(zipped):
    stream = io.BytesIO()
    torch.save({"w": torch.arange(3.0)}, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


@given(zipped=st.booleans(), at=st.floats(0, 1, exclude_max=True), flip=st.integers(0, 255))
def test_damaged_bytes_are_read_or_refused_but_nothing_else_happens(zipped, at, flip, tmp_path_factory):
    content = bytearray(saved(zipped))
    place = int(at * len(content))
    content[place] ^= flip
    path = tmp_path_factory.getbasetemp() / "damaged.bin"
    path.write_bytes(content if flip else content[:place])
    try:
        outcome = LegacyFile(path).shapes
    except CheckpointError as error:
        outcome = str(error)
    assert isinstance(outcome, dict) or "damaged.bin" in outcome
