import json

import pytest

from corpora import ByteEncoder, story_corpus
from cutaway.data import Job, Manifest, PrepareSettings, prepare
from cutaway.errors import DataError


@pytest.fixture
def folder(tmp_path):
    job = Job(story_corpus(tmp_path / "corpus", files=1), ByteEncoder(), PrepareSettings(validation=0.1))
    prepare(job, tmp_path / "out")
    return tmp_path / "out"


def change(folder, **values):
    content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(content | values), encoding="utf-8")


def test_a_manifest_says_what_the_data_was_made_from(folder):
    content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert content["tokenizer"] == {"fingerprint": ByteEncoder.fingerprint, "n_vocab": 257, "eot": 256}
    assert content["settings"]["validation"] == 0.1
    assert content["splits"]["train"]["n_documents"] + content["splits"]["validation"]["n_documents"] == 20
    assert content["data_sha256"] == Manifest.read(folder).data_sha256


def test_the_vocabulary_can_be_asked_for(folder):
    manifest = Manifest.read(folder)
    assert (manifest.fingerprint, manifest.n_vocab, manifest.eot) == (ByteEncoder.fingerprint, 257, 256)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": "something else"}, "is not a manifest that this program reads"),
        ({"version": 2}, "is not a manifest that this program reads"),
        ({"shards": [{"file": "x"}]}, "is damaged"),
        ({"shards": 3}, "is damaged"),
        ({"tokenizer": {}}, "is damaged"),
        ({"tokenizer": {"fingerprint": "not hex", "n_vocab": 1, "eot": None}}, "is damaged"),
    ],
)
def test_a_damaged_manifest_is_refused(folder, values, message):
    change(folder, **values)
    with pytest.raises(DataError, match=message):
        Manifest.read(folder)


def test_a_manifest_cannot_name_files_outside_its_folder(folder):
    shards = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["shards"]
    change(folder, shards=[shards[0] | {"file": "../train-00000-00000.bin"}])
    with pytest.raises(DataError, match="names what is no shard"):
        Manifest.read(folder)


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100_000])
def test_what_is_not_a_json_object_is_refused(folder, content):
    (folder / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="is damaged"):
        Manifest.read(folder)
