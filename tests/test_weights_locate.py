from pathlib import Path

import pytest

from cutaway.config import PRESETS, GPTConfig
from cutaway.errors import CheckpointError, ModelNotFoundError
from cutaway.weights import hub, published
from cutaway.weights.locate import _bundled_folder, available_models, bundled_models, locate


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    (tmp_path / "model.safetensors").touch()
    return tmp_path


@pytest.fixture
def empty_cache(monkeypatch):
    monkeypatch.setattr(hub, "cached", lambda hub_id, revision: None)


def test_a_folder_and_a_file_are_found_as_text_and_as_path(folder):
    for source in (folder, str(folder), folder / "model.safetensors", str(folder / "model.safetensors")):
        files = locate(source)
        assert (files.folder, files.weights) == (folder, folder / "model.safetensors")


def test_a_path_may_start_at_home(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))
    assert locate(f"~/{folder.name}").folder == folder


@pytest.mark.parametrize(
    ("source", "hub_id", "revision"),
    [
        ("gpt2", "openai-community/gpt2", None),
        ("gpt2-xl@main", "openai-community/gpt2-xl", "main"),
        ("distilgpt2", "distilbert/distilgpt2", None),
        ("some-one/a.model_2", "some-one/a.model_2", None),
        ("owner/name@refs/pr/1", "owner/name", "refs/pr/1"),
    ],
)
@pytest.mark.usefixtures("empty_cache")
def test_what_is_not_cached_is_fetched_at_its_revision(source, hub_id, revision, folder):
    asked = []

    def fetch(*what):
        asked.append(what)
        return folder

    assert locate(source, fetch=fetch).folder == folder
    assert asked == [(hub_id, revision)]


def test_a_published_model_is_found_under_the_id_it_used_to_have(folder, monkeypatch):
    monkeypatch.setattr(hub, "cached", lambda hub_id, revision: folder if hub_id == "gpt2" else None)
    assert locate("gpt2").folder == folder


def test_a_known_name_is_that_model_even_beside_a_folder_of_that_name(folder, monkeypatch, tmp_path):
    here = tmp_path / "gpt2"
    here.mkdir()
    (here / "model.safetensors").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "cached", lambda hub_id, revision: folder)
    assert locate("gpt2").folder == folder
    assert locate("./gpt2").folder == Path("gpt2")
    assert locate(Path("gpt2")).folder == Path("gpt2")


def test_a_folder_is_preferred_to_a_hub_id_that_reads_the_same(folder, monkeypatch):
    monkeypatch.chdir(folder.parent.parent)
    source = str(folder.relative_to(folder.parent.parent))
    assert locate(source).folder == Path(source)


def test_an_unknown_name_gets_the_nearest_one_and_the_way_out():
    with pytest.raises(
        ModelNotFoundError, match=r"no model 'gtp2'; did you mean 'gpt2'\?; a Hub id \(owner/name\) or a folder"
    ):
        locate("gtp2")


@pytest.mark.parametrize(
    "source",
    [
        "./gtp2",
        "~/nowhere/x",
        "/no/where",
        "a/b/c",
        "C:\\models\\mine",
        "..\\mine",
        "",
        "my model",
        "~nobody-by-that-name/x",
        "x" * 999,
    ],
)
def test_a_path_to_nothing_is_not_looked_for_on_the_hub(source):
    with pytest.raises(ModelNotFoundError, match="no model folder or weight file"):
        locate(source)


def test_a_nul_in_a_name_is_no_model():
    with pytest.raises(ModelNotFoundError, match="no model folder or weight file"):
        locate("gpt2\0")


def test_a_file_that_cannot_be_weights_is_refused(folder):
    with pytest.raises(
        ModelNotFoundError, match=r"config\.json is not a weight file; its name must end in \.safetensors"
    ):
        locate(folder / "config.json")


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="holds no weights"):
        locate(tmp_path)


def test_bundled_models_are_found_by_name_and_listed_with_their_size():
    listed = {model.name: model for model in available_models() if model.state == "bundled"}
    assert list(listed) == bundled_models()
    for name, model in listed.items():
        assert locate(name).folder == model.folder == _bundled_folder() / name
        assert model.size_bytes > 1000


def test_every_published_shape_has_a_published_model_whose_size_is_that_of_its_weights():
    assert published.PUBLISHED.keys() == PRESETS.keys()
    from cutaway.weights.names import stored_shapes

    for name, model in published.PUBLISHED.items():
        config = GPTConfig.preset(name)
        numbers = sum(shape[0] * (shape[1] if len(shape) == 2 else 1) for shape in stored_shapes(config).values())
        masks = config.n_layer * config.block_size**2
        header_bytes = model.download_bytes - 4 * (numbers + masks)
        assert 0 < header_bytes < 100_000
