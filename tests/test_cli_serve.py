"""`cutaway serve` as a process: it says where it is, drains when it is asked to stop, and refuses what is unsafe."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import cutaway
from command_line import tiny
from cutaway.cli.serve import keys
from cutaway.errors import ConfigError
from cutaway.server.models import named, start_models

PATIENCE_S = 120
# Windows has no SIGTERM that a process could drain upon.
posix = pytest.mark.skipif(os.name == "nt", reason="SIGTERM ends a process at once on Windows")


@contextmanager
def process(*arguments, **environment):
    """A server in a process of its own, and where it listens."""
    command = [sys.executable, "-m", "cutaway", "serve", "--port", "0", *arguments]
    inherited = {name: value for name, value in os.environ.items() if name != "CUTAWAY_API_KEY"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=inherited | environment
    ) as running:
        try:
            yield running, running.stdout.readline().split()[-1].removesuffix("/v1")
        finally:
            running.kill()


@contextmanager
def ready(url):
    """A client of a server that has loaded its model."""
    with httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False) as client:
        while client.get("/health").status_code != 200:
            time.sleep(0.05)
        yield client


@posix
def test_it_finishes_what_it_is_at_when_told_to_stop():
    with process("--model", "story=fable") as (running, url), ready(url) as client:
        body = {"prompt": "Once", "max_tokens": 200, "ignore_eos": True, "stream": True, "model": "story"}
        with client.stream("POST", "/v1/completions", json=body) as answer:
            lines = answer.iter_lines()
            next(lines)
            running.send_signal(signal.SIGTERM)
            rest = [line for line in lines if line]
        assert rest[-1] == "data: [DONE]"
        assert running.wait(PATIENCE_S) == -signal.SIGTERM  # which uvicorn passes on when it has drained
        log = running.stderr.read()
    assert '"path": "/v1/completions"' in log
    assert "Traceback" not in log


def run(*arguments, **environment):
    command = [sys.executable, "-m", "cutaway", "serve", *arguments]
    inherited = {name: value for name, value in os.environ.items() if name != "CUTAWAY_API_KEY"}
    return subprocess.run(command, capture_output=True, text=True, env=inherited | environment, timeout=PATIENCE_S)


def test_it_does_not_open_itself_to_the_network_without_a_key():
    done = run("--host", "0.0.0.0")
    assert done.returncode == 2
    assert "would let everybody in the network in" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_told():
    with process() as (_, url):
        done = run("--port", url.rpartition(":")[2])
    assert done.returncode == 2
    assert "cannot listen on 127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_keys_come_from_the_environment_and_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("CUTAWAY_API_KEY", "from-the-environment")
    file = tmp_path / "keys"
    file.write_text("first-key\n\nsecond-key\n")
    assert keys(file) == ("from-the-environment", "first-key", "second-key")
    file.write_text("\n")
    with pytest.raises(ConfigError, match="no key"):
        keys(file)
    with pytest.raises(ConfigError, match="cannot read"):
        keys(tmp_path / "nowhere")


def test_models_are_served_under_their_names():
    assert named(["fable", "mine=some/folder"]) == {"fable": "fable", "mine": "some/folder"}
    with pytest.raises(ConfigError, match="served as 'fable'"):
        named(["fable", "fable"])


def test_a_model_that_is_not_there_is_told_at_once():
    done = run("--port", "0", "--model", "nosuch")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nosuch" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_model_that_cannot_be_loaded_ends_the_server(tmp_path):
    fable = Path(cutaway.__file__).parent / "bundled" / "fable"
    for name in ("config.json", "tokenizer.json", "vocab.json", "merges.txt"):
        shutil.copy(fable / name, tmp_path)
    (tmp_path / "model.safetensors").write_bytes((fable / "model.safetensors").read_bytes()[:1000])
    done = run("--port", "0", "--model", str(tmp_path))
    assert done.returncode == 2
    assert "cutaway: error: " in done.stderr
    assert "model.safetensors" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("wish", "guesses"), [("auto", False), ("lookup", True), ("none", False)])
def test_an_engine_guesses_where_it_is_told_to_and_of_itself_only_for_large_models(wish, guesses):
    (served,) = start_models({"tiny": str(tiny())}, device="cpu", speculate=wish)
    try:
        assert (served.engine._engine._foresight is not None) is guesses
    finally:
        served.stop(10)
