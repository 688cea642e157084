import json
import struct

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save

from cutaway.errors import CheckpointError
from cutaway.weights.safetensors_file import SafetensorsFile, write_safetensors

CPU = torch.device("cpu")
TENSORS = {
    "a": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "b": torch.tensor([0.5, -1.5], dtype=torch.bfloat16),
    "c": torch.tensor([1, 2, 3], dtype=torch.int64),
}


def file_of(header, data=b"", claimed=None):
    """The bytes of a file with this header, whatever it says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if claimed is None else claimed) + text + data


def entry(begin, end, shape=(1,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "w.safetensors"
        path.write_bytes(content)
        return path

    return write


def test_what_the_library_writes_is_read_as_it_was(written):
    file = SafetensorsFile(written(save(TENSORS, metadata={"format": "pt"})))
    assert file.shapes == {"a": (2, 3), "b": (2,), "c": (3,)}
    for name in "ab":
        torch.testing.assert_close(file.tensor(name, None, CPU), TENSORS[name], rtol=0, atol=0)


def test_what_a_file_says_of_itself_is_told(tmp_path):
    write_safetensors(TENSORS, tmp_path / "w.safetensors", {"kind": "test"})
    assert SafetensorsFile(tmp_path / "w.safetensors").metadata == {"format": "pt", "kind": "test"}


def test_a_file_may_say_nothing_of_itself(written):
    assert SafetensorsFile(written(save(TENSORS))).metadata == {}


def test_what_we_write_the_library_reads(tmp_path):
    write_safetensors(TENSORS, tmp_path / "w.safetensors")
    read = load_file(tmp_path / "w.safetensors")
    assert all(torch.equal(read[name], tensor) for name, tensor in TENSORS.items())


def test_a_tensor_used_as_stored_is_mapped_and_changing_it_leaves_the_file_alone(written):
    path = written(save(TENSORS))
    before = path.read_bytes()
    file = SafetensorsFile(path)
    first = file.tensor("a", torch.float32, CPU)
    first.zero_()
    assert file.tensor("a", torch.float32, CPU).data_ptr() == first.data_ptr()
    assert path.read_bytes() == before


def test_a_tensor_at_an_odd_offset_is_read_into_memory_of_its_own(written):
    content = file_of(json.dumps({"a": entry(0, 8, (2,))}).encode() + b" ", struct.pack("<2f", 1.5, -2))
    odd = content if (len(content) - 8) % 4 else file_of(content[8:-8] + b" ", content[-8:])
    file = SafetensorsFile(written(odd))
    assert file.entries["a"].begin % 4
    first, second = file.tensor("a", None, CPU), file.tensor("a", None, CPU)
    assert first.tolist() == second.tolist() == [1.5, -2]
    assert first.data_ptr() != second.data_ptr()


def test_the_dtype_is_changed_on_the_way(written):
    file = SafetensorsFile(written(save(TENSORS)))
    assert file.tensor("b", torch.float32, CPU).tolist() == [0.5, -1.5]
    assert file.tensor("a", torch.float16, CPU).dtype == torch.float16


def test_whole_numbers_are_no_weights(written):
    with pytest.raises(CheckpointError, match=r"w\.safetensors: tensor 'c' is I64; only F64, F32, F16, BF16"):
        SafetensorsFile(written(save(TENSORS))).tensor("c", None, CPU)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "claims a header of 0 bytes"),
        (b"\x02\0\0", "truncated or not a safetensors file"),
        (file_of({}, claimed=10 << 30), "claims a header of 10,737,418,240 bytes and has 10 in all"),
        (file_of(b" " * (17 << 20)), "more than 16,777,216 is not read"),
        (file_of(b"not json"), "not valid JSON"),
        (file_of(b"[1]"), "not an object"),
        (file_of(b"\xff\xff"), "not valid JSON"),
        (file_of(b'{"a": %s}' % (b"[" * 50_000)), "not valid JSON"),
        (file_of(b'{"a": %s, "a": %s}' % ((json.dumps(entry(0, 4)).encode(),) * 2), b"\0" * 4), "names 'a' twice"),
        (file_of({"a": entry(0, 8, (2,))}, b"\0" * 7), "truncated: tensor 'a' ends at byte"),
        (file_of({"a": entry(0, 4)}, b"\0" * 5), "1 bytes after its last tensor"),
        (file_of({"a": entry(4, 8)}, b"\0" * 8), "tensor 'a' leaves a gap"),
        (file_of({"a": entry(0, 4), "b": entry(0, 4)}, b"\0" * 4), "tensor 'b' overlaps"),
        (file_of({"a": entry(0, 8, (2,)), "b": entry(4, 8)}, b"\0" * 8), "tensor 'b' overlaps"),
        (file_of({"a": entry(0, 4, (2,))}, b"\0" * 4), "'a' of shape (2,) and dtype F32 needs 8 bytes"),
        (file_of({"a": entry(0, 4, (2**62, 2**62))}, b"\0" * 4), "'a'"),
        (file_of({"a": entry(4, 0)}, b"\0" * 4), "'a'"),
        (file_of({"a": entry(-4, 0)}), "entry of tensor 'a' is damaged"),
        (file_of({"a": entry(0, 4.0)}, b"\0" * 4), "entry of tensor 'a' is damaged"),
        (file_of({"a": entry(0, 10**30)}), "entry of tensor 'a' is damaged"),
        (file_of({"a": entry(0, 4, (True,))}, b"\0" * 4), "entry of tensor 'a' is damaged"),
        (file_of({"a": entry(0, 4, (1,) * 99)}, b"\0" * 4), "entry of tensor 'a' is damaged"),
        (file_of({"a": entry(0, 4, dtype="F33")}, b"\0" * 4), "entry of tensor 'a' is damaged"),
        (file_of({"a": 7}), "entry of tensor 'a' is damaged"),
    ],
)
def test_a_damaged_file_is_refused_by_name(content, message, written):
    with pytest.raises(CheckpointError) as caught:
        SafetensorsFile(written(content))
    assert "w.safetensors" in str(caught.value)
    assert message in str(caught.value)


def test_a_file_that_is_deleted_while_it_is_read_is_refused(written):
    path = written(save(TENSORS))
    file = SafetensorsFile(path)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"w\.safetensors cannot be mapped any more .*load it again"):
        file.tensor(next(iter(TENSORS)), None, CPU)


def test_a_file_that_shrinks_while_it_is_read_is_refused(written):
    path = written(save(TENSORS))
    file = SafetensorsFile(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(CheckpointError, match="became shorter while tensor 'a' was read"):
        file.tensor("a", torch.float16, CPU)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"gone\.safetensors cannot be read: No such file"):
        SafetensorsFile(tmp_path / "gone.safetensors")


def reads_or_refuses(content, path):
    path.write_bytes(content)
    try:
        file = SafetensorsFile(path)
        return [file.tensor(name, torch.float16, CPU) for name in file.entries]
    except CheckpointError as error:
        return str(error)


@given(cut=st.integers(0, len(save(TENSORS)) - 1))
def test_every_truncation_is_refused(cut, tmp_path_factory):
    outcome = reads_or_refuses(save(TENSORS)[:cut], tmp_path_factory.getbasetemp() / "cut.safetensors")
    assert "cut.safetensors" in outcome


@given(flips=st.lists(st.tuples(st.integers(0, 150), st.integers(1, 255)), min_size=1, max_size=4))
def test_flipped_bytes_are_read_or_refused_but_nothing_else_happens(flips, tmp_path_factory):
    content = bytearray(save({name: TENSORS[name] for name in "ab"}))
    for at, flip in flips:
        content[at] ^= flip
    outcome = reads_or_refuses(bytes(content), tmp_path_factory.getbasetemp() / "flipped.safetensors")
    assert isinstance(outcome, list) or "flipped.safetensors" in outcome
