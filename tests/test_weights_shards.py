import json

import pytest

from cutaway.errors import CheckpointError
from cutaway.weights.shards import find_weights, read_index, shard_files


def write_index(folder, weight_map):
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    return index


def test_the_preferred_of_several_formats_is_taken(tmp_path):
    for name in [
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "model.safetensors.index.json",
        "model.safetensors",
    ]:
        (tmp_path / name).touch()
    order = []
    while any(tmp_path.iterdir()):
        order.append(find_weights(tmp_path).name)
        find_weights(tmp_path).unlink()
    assert order == [
        "model.safetensors",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
    ]


def test_a_single_file_of_any_name_will_do_but_two_are_ambiguous(tmp_path):
    (tmp_path / "mine.safetensors").touch()
    assert find_weights(tmp_path).name == "mine.safetensors"
    (tmp_path / "yours.safetensors").touch()
    with pytest.raises(CheckpointError, match=r"2 \.safetensors files and no index; give the path"):
        find_weights(tmp_path)


def test_a_folder_without_weights_says_what_it_needs(tmp_path):
    with pytest.raises(CheckpointError, match=r"holds no weights; it needs model\.safetensors"):
        find_weights(tmp_path)


def test_an_index_names_each_file_once(tmp_path):
    for name in ("1.safetensors", "2.safetensors"):
        (tmp_path / name).touch()
    index = write_index(tmp_path, {"a": "2.safetensors", "b": "1.safetensors", "c": "2.safetensors"})
    assert [file.name for file in shard_files(index)] == ["2.safetensors", "1.safetensors"]


def test_a_missing_shard_is_named(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"1\.safetensors is missing, though model\.safetensors\.index\.json names it"
    ):
        shard_files(write_index(tmp_path, {"a": "1.safetensors"}))


@pytest.mark.parametrize(
    "file", ["../1.safetensors", "/etc/1.safetensors", "a\\1.bin", "C:1.bin", "1.pkl", "a\0.bin", 7, None]
)
def test_an_index_may_not_point_out_of_its_folder(file, tmp_path):
    with pytest.raises(CheckpointError, match=r"index\.json puts tensor 'a' into .*same folder"):
        read_index(write_index(tmp_path, {"a": file}))


@pytest.mark.parametrize("weight_map", [None, [], {}, "x"])
def test_an_index_without_a_map_is_refused(weight_map, tmp_path):
    with pytest.raises(CheckpointError, match=r"index\.json has no 'weight_map'"):
        read_index(write_index(tmp_path, weight_map))


def test_an_index_of_absurdly_many_files_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="more than 10,000 files"):
        read_index(write_index(tmp_path, {str(i): f"{i}.bin" for i in range(10_001)}))
