import json
import os
import subprocess
import sys

import pytest
from huggingface_hub import constants

from cutaway.errors import CheckpointError
from cutaway.weights import available_models, hub
from cutaway.weights.locate import locate
from fake_hub import FakeHub

CONFIG = json.dumps({"model_type": "gpt2"})
UNROUTABLE = "http://127.0.0.1:9"


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Locate a model with a cache of the test's own and the Hub at some address."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)

    def ask_for(source, endpoint=UNROUTABLE, offline=False):
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
        try:
            files = locate(source)
        except CheckpointError as error:
            return {"error": type(error).__name__, "message": str(error)}
        return {"held": sorted(file.name for file in files.folder.iterdir()), "weights": files.weights.name}

    return ask_for


@pytest.fixture
def there(tmp_path):
    folder = tmp_path / "there"
    folder.mkdir()
    for name in ("config.json", "vocab.json", "README.md", "tf_model.h5", "pytorch_model.bin", "rust_model.ot"):
        (folder / name).write_text(CONFIG if name == "config.json" else "{}")
    (folder / "model.safetensors").write_bytes(bytes(100_000))
    return folder


def test_only_what_is_needed_is_fetched_once_and_is_then_there_without_network(ask, there):
    with FakeHub(there) as server:
        first = ask("owner/name", server.endpoint)
        asked = len(server.requests)
        second = ask("owner/name", server.endpoint)
        assert len(server.requests) == asked
    assert first["held"] == ["config.json", "model.safetensors", "vocab.json"]
    assert second == first == ask("owner/name") == ask("owner/name", offline=True)


def test_legacy_weights_are_fetched_where_there_are_no_others(ask, there):
    (there / "model.safetensors").unlink()
    with FakeHub(there) as server:
        assert ask("owner/name", server.endpoint)["weights"] == "pytorch_model.bin"


def test_a_checkpoint_with_a_shard_missing_is_fetched_again(ask, there, tmp_path):
    (there / "model.safetensors").unlink()
    weight_map = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (there / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    for name in weight_map.values():
        (there / name).write_bytes(bytes(10))
    with FakeHub(there) as server:
        ask("owner/name", server.endpoint)
        next((tmp_path / "cache").rglob("model-00002*")).unlink()
        assert ask("owner/name")["error"] == "ModelNotFoundError"
        assert set(weight_map.values()) < set(ask("owner/name", server.endpoint)["held"])


def test_a_revision_is_pinned(ask, there):
    with FakeHub(there) as server:
        assert "held" in ask(f"owner/name@{server.commit}", server.endpoint)
        message = ask("owner/name@v9", server.endpoint)["message"]
    assert message.startswith("the model 'owner/name' has no revision 'v9'; give a branch")
    assert "held" in ask(f"owner/name@{server.commit}")
    assert "owner/name is not in the local cache" in ask("owner/name@v9")["message"]


def test_a_model_that_the_hub_does_not_have_is_named(ask, there):
    with FakeHub(there) as server:
        answer = ask("owner/other", server.endpoint)
    assert answer["error"] == "ModelNotFoundError"
    assert answer["message"].startswith("the Hub has no model 'owner/other'")


def test_a_model_without_weights_is_refused(ask, there):
    for file in ("model.safetensors", "pytorch_model.bin"):
        (there / file).unlink()
    with FakeHub(there) as server:
        assert "holds no weights" in ask("owner/name", server.endpoint)["message"]


@pytest.mark.parametrize("status", [401, 403, 500])
def test_when_the_hub_refuses_the_token_is_not_shown(status, ask, there, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecretsecret")
    with FakeHub(there, status) as server:
        answer = ask("owner/name", server.endpoint)
    assert "owner/name" in answer["message"]
    assert "hf_secret" not in answer["message"]


@pytest.mark.parametrize("source", ["gpt2", "owner/name"])
def test_without_a_network_the_answer_says_what_would_help(source, ask):
    answer = ask(source)
    assert answer["error"] == "ModelNotFoundError"
    assert f"{UNROUTABLE} cannot be reached" in answer["message"]
    assert "give a folder that holds it, or use the bundled model 'fable'" in answer["message"]


@pytest.mark.parametrize("endpoint", ["http://no-such-host.invalid", "http://127.0.0.1:bad", "http://" + "x" * 300])
def test_an_endpoint_that_leads_nowhere_is_named(endpoint, ask):
    assert f"{endpoint} cannot be reached" in ask("gpt2", endpoint)["message"]


def test_a_proxy_that_does_not_answer_is_no_network(ask, monkeypatch):
    monkeypatch.setenv("http_proxy", UNROUTABLE)
    assert "http://hub.invalid cannot be reached" in ask("owner/name", "http://hub.invalid")["message"]


def test_with_a_proxy_it_is_the_proxy_that_must_answer(monkeypatch):
    assert hub._first_hop("https://hub.invalid") == ("hub.invalid", 443)
    assert hub._first_hop("http://hub.invalid:81/mirror") == ("hub.invalid", 81)
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", "inside.invalid")
    assert hub._first_hop("https://hub.invalid") == ("proxy.invalid", 3128)
    assert hub._first_hop("https://inside.invalid") == ("inside.invalid", 443)


def test_when_told_to_stay_offline_the_network_is_not_tried(ask, there):
    with FakeHub(there) as server:
        message = ask("owner/name", server.endpoint, offline=True)["message"]
        assert server.requests == []
    assert "HF_HUB_OFFLINE forbids the network" in message


def test_the_list_of_models_tells_cached_from_downloadable(ask, there, tmp_path):
    with FakeHub(there) as server:
        ask("owner/name", server.endpoint)
        (there / "config.json").write_text('{"model_type": "bert"}')
    # A published model in the cache, under its present id.
    models = tmp_path / "cache"
    for file in (models / "models--owner--name").rglob("*"):
        if file.is_file() and not file.is_symlink():
            copy = models / "models--openai-community--gpt2-medium" / file.relative_to(models / "models--owner--name")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    snapshot = models / "models--openai-community--gpt2-medium/snapshots" / server.commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(CONFIG)
    (snapshot / "model.safetensors").write_bytes(bytes(1000))
    listed = [model for model in available_models() if model.state != "bundled"]
    assert [(model.name, model.state) for model in listed] == [
        ("gpt2-medium", "cached"),
        ("owner/name", "cached"),
        ("gpt2", "downloadable"),
        ("gpt2-large", "downloadable"),
        ("gpt2-xl", "downloadable"),
        ("distilgpt2", "downloadable"),
    ]
    assert listed[1].size_bytes == 100_000 + len(CONFIG) + 2
    assert listed[2].size_bytes == 548_105_171


@pytest.mark.usefixtures("ask")
def test_without_a_cache_nothing_is_cached():
    assert "cached" not in {model.state for model in available_models()}


FRESH = """
import sys
from cutaway.errors import ModelNotFoundError
from cutaway.weights.locate import locate
try:
    locate("gpt2")
except ModelNotFoundError as error:
    print(error)
assert "torch" not in sys.modules
"""


@pytest.mark.parametrize("offline", ["0", "1"])
def test_a_fresh_process_heeds_the_environment_and_loads_no_torch(offline, tmp_path):
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_ENDPOINT": UNROUTABLE, "HF_HUB_OFFLINE": offline}
    answer = subprocess.run(
        [sys.executable, "-c", FRESH], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert ("HF_HUB_OFFLINE forbids" if offline == "1" else f"{UNROUTABLE} cannot be reached") in answer.stdout
