"""Datasets on the Hub as a source of `prepare`, from a Hub on this machine."""

import gzip
import json

import pytest
from huggingface_hub import constants
from hypothesis import given
from hypothesis import strategies as st

from command_line import mistake, run, tiny
from corpora import story, write_stories
from cutaway.data import TokenFolder
from cutaway.errors import DataError
from cutaway.tokenizer import Tokenizer
from cutaway.weights.hub_dataset import Address, chosen, fetch_dataset
from fake_hub import FakeHub

UNROUTABLE = "http://127.0.0.1:9"


@pytest.fixture
def connect(tmp_path, monkeypatch):
    """Point the library to an address, with a cache of the test's own."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)

    def to(endpoint, offline=False):
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)

    return to


@pytest.fixture
def there(tmp_path):
    """The files of a dataset: two splits, of which one is in two files, and things that are no text."""
    folder = tmp_path / "there"
    (folder / "data").mkdir(parents=True)
    write_stories(folder / "data" / "train-00000.jsonl", range(10))
    write_stories(folder / "data" / "train-00001.jsonl", range(10, 20))
    write_stories(folder / "data" / "validation.jsonl", range(20, 23))
    (folder / "README.md").write_text("a card")
    (folder / "load.py").write_text("raise SystemExit('executed')")
    return folder


@pytest.fixture
def hub(there, connect):
    with FakeHub(there, kind="datasets") as server:
        connect(server.endpoint)
        yield server


def texts_in(folder):
    """What the training documents say."""
    tokens = TokenFolder(folder).tokens("train")
    return Tokenizer.from_folder(folder).decode(tokens.read(0, len(tokens))).split("<|endoftext|>")[:-1]


def prepared(tmp_path, *sources):
    arguments = ["-o", tmp_path / "data", "--tokenizer", tiny(), "--validation", "0", "--workers", "1"]
    result = run("prepare", *sources, *arguments)
    assert result.code == 0, result.err
    return json.loads((tmp_path / "data" / "manifest.json").read_text())["sources"]


@pytest.mark.parametrize(
    ("part", "numbers"),
    [
        ("", range(23)),
        ("/train", range(20)),
        ("/validation", range(20, 23)),
        ("/data/train-00001.jsonl", range(10, 20)),
        ("/data/*1.jsonl", range(10, 20)),
    ],
)
def test_the_files_that_are_meant_become_the_corpus(hub, tmp_path, part, numbers):
    sources = prepared(tmp_path, f"hub:owner/name{part}")
    assert all(source["name"].startswith(f"hub:owner/name@{hub.commit}/data/") for source in sources)
    assert texts_in(tmp_path / "data") == [story(number) for number in numbers]


def test_nothing_but_the_files_that_are_meant_is_fetched_and_that_once(hub, tmp_path):
    prepared(tmp_path, "hub:owner/name/validation")
    fetched = [path for path in hub.requests if "/resolve/" in path]
    assert {path.rsplit("/", 1)[1] for path in fetched} == {"validation.jsonl"}
    prepared(tmp_path, "hub:owner/name/validation")
    assert [path for path in hub.requests if "/resolve/" in path] == fetched


def test_files_of_equal_content_stay_two(hub, there, tmp_path):
    content = (there / "data" / "validation.jsonl").read_bytes()
    (there / "data" / "copy of validation.jsonl").write_bytes(content)
    assert len(prepared(tmp_path, "hub:owner/name/validation")) == 2


def test_other_sources_can_stand_beside(hub, tmp_path):
    (tmp_path / "own.txt").write_text("my own text")
    sources = prepared(tmp_path, tmp_path / "own.txt", "hub:owner/name/validation")
    assert [source["name"] for source in sources] == ["own.txt", f"hub:owner/name@{hub.commit}/data/validation.jsonl"]


def test_compressed_files_are_text_too(hub, there, tmp_path):
    (there / "more").mkdir()
    (there / "more" / "x[1].txt.gz").write_bytes(gzip.compress(b"a text"))
    prepared(tmp_path, "hub:owner/name/more")
    assert texts_in(tmp_path / "data") == ["a text"]


def test_a_revision_is_pinned_and_an_unknown_one_refused(hub, tmp_path):
    assert prepared(tmp_path, f"hub:owner/name@{hub.commit}/validation")
    message = mistake("prepare", "hub:owner/name@v9", "-o", tmp_path / "other")
    assert message.startswith("the dataset 'owner/name' has no revision 'v9'; give a branch")


def test_text_in_several_kinds_of_files_is_asked_about(hub, there, tmp_path):
    (there / "all.txt").write_text("the same again")
    message = mistake("prepare", "hub:owner/name", "-o", tmp_path / "data")
    assert "files of several kinds (1 of txt and 3 of jsonl)" in message
    assert "such as 'hub:owner/name/all.txt'" in message


def test_a_dataset_without_text_names_what_it_has(hub, tmp_path):
    message = mistake("prepare", "hub:owner/name/test", "-o", tmp_path / "data")
    assert message.startswith(
        "hub:owner/name/test has no text, JSON Lines, CSV or Parquet; the dataset holds README.md"
    )


def test_an_unknown_dataset_is_named(hub, tmp_path):
    message = mistake("prepare", "hub:owner/other", "-o", tmp_path / "data")
    assert message.startswith("the Hub has no dataset 'owner/other'")


@pytest.mark.parametrize("status", [401, 403, 500])
def test_when_the_hub_refuses_the_token_is_not_shown(status, connect, there, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecretsecret")
    with FakeHub(there, status, "datasets") as server:
        connect(server.endpoint)
        with pytest.raises(DataError, match="owner/name") as error:
            fetch_dataset("owner/name")
    assert "hf_secret" not in str(error.value)


def test_without_a_network_the_sentence_says_what_would_help(connect, tmp_path):
    connect(UNROUTABLE)
    message = mistake("prepare", "hub:owner/name", "-o", tmp_path / "data")
    assert message.startswith(f"hub:owner/name cannot be fetched: {UNROUTABLE} cannot be reached")
    assert message.endswith("; connect, or give a folder that holds its files")
    assert not (tmp_path / "data").exists()


def test_an_earlier_download_is_named_when_offline_and_is_a_source(hub, connect, tmp_path):
    prepared(tmp_path, "hub:owner/name/validation")
    before = texts_in(tmp_path / "data")
    connect(hub.endpoint, offline=True)
    asked = len(hub.requests)
    message = mistake("prepare", "hub:owner/name@main/validation", "-o", tmp_path / "other")
    assert "hub:owner/name@main/validation cannot be fetched: HF_HUB_OFFLINE forbids the network" in message
    assert len(hub.requests) == asked
    folder = message.split("earlier download, ")[1]
    assert run("prepare", folder, "-o", tmp_path / "again", "--tokenizer", tiny(), "--validation", "0").code == 0
    assert texts_in(tmp_path / "again") == before


@pytest.mark.parametrize("text", ["", "name", "owner/name@", "owner/na me", "/owner/name", "owner/name/"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(DataError, match="is no dataset; write hub:owner/name"):
        fetch_dataset(text)


@given(st.sampled_from([None, "main", "v1.0"]), st.sampled_from([None, "train", "data/*.parquet", "a b/c"]))
def test_an_address_is_written_as_it_is_read(revision, part):
    address = Address(hub_id="o/n", revision=revision, part=part)
    assert Address.parse(str(address).removeprefix("hub:")) == address


@pytest.mark.parametrize(
    ("part", "meant"),
    [
        ("train", ["data/train-00000.parquet", "train.parquet"]),
        ("data", ["data/constrained.parquet", "data/train-00000.parquet"]),
        ("*.parquet", ["data/constrained.parquet", "data/train-00000.parquet", "train.parquet"]),
        ("README.md", ["README.md"]),
    ],
)
def test_a_part_is_a_file_a_pattern_or_a_whole_word(part, meant):
    every = ["train.parquet", "data/train-00000.parquet", "data/constrained.parquet", "README.md"]
    assert chosen(Address(hub_id="o/n", part=part), every) == meant


@pytest.mark.parametrize("name", ["../../secret.txt", "/etc/secret.txt", "data/../../secret.txt"])
def test_a_file_outside_the_dataset_is_not_taken(name):
    with pytest.raises(DataError, match="has no text"):
        chosen(Address(hub_id="o/n", part=name), [name])
