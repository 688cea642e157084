"""A server on a free port of this machine, over a model so small that a test can ask it for anything."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager

import httpx
import torch

from cutaway.engine import Engine, EngineLimits, EngineThread, runner_of
from cutaway.language_model import LanguageModel
from cutaway.server import ServedModel, ServerSettings, Service
from cutaway.server.run import address, http_server, listen
from cutaway.text_generator import TextGenerator
from tiny import EOT, TOKENIZER, tiny_model

NAME = "tiny"


def tiny_generator() -> TextGenerator:
    return TextGenerator(tiny_model(seed=3, eot=EOT), TOKENIZER, NAME)


def tiny_language_model(name: str = NAME) -> LanguageModel:
    """The same model, to be looked into."""
    return LanguageModel(tiny_model(seed=3, eot=EOT, dtype=torch.float32), TOKENIZER, name)


PATIENCE_S = 60
"""How long anything is waited for: long enough for a busy machine, and nothing where all goes well."""


class Gate:
    """A runner that waits before it reads, as long as the gate is shut."""

    def __init__(self, runner) -> None:
        self._runner, self.open = runner, threading.Event()
        self.slots, self.context, self.vocab_size = runner.slots, runner.context, runner.vocab_size
        self.open.set()

    def read(self, slots, tokens, answers):
        assert self.open.wait(PATIENCE_S), "the test forgot to open the gate"
        return self._runner.read(slots, tokens, answers)

    def copy(self, source, target, tokens):
        self._runner.copy(source, target, tokens)

    def truncate(self, slot, tokens):
        self._runner.truncate(slot, tokens)


def served(
    limits: EngineLimits | None = None, name: str = NAME, clock: Callable[[], float] = time.monotonic
) -> tuple[ServedModel, Gate]:
    """A served model whose network can be held up."""
    limits = limits or EngineLimits()
    generator = tiny_generator()
    gate = Gate(runner_of(generator.model, limits.slots))
    engine = EngineThread(Engine(gate, generator.tokenizer, limits, clock=clock))
    return ServedModel(name, generator, engine, lambda: tiny_language_model(name)), gate


@contextmanager
def serving(service: Service, **settings):
    """The address of a running server."""
    chosen = ServerSettings(port=0, **settings)
    with listen(chosen) as listener:
        server = http_server(service, chosen)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield address(listener)
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


@contextmanager
def client_of(*models: ServedModel, **settings):
    """A client of a server that has loaded these models."""
    service = Service(lambda: models)
    with serving(service, **settings) as url, httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False) as client:
        service.wait(PATIENCE_S)
        yield client


def ask(client: httpx.Client, **body):
    """The answer to a request for completions, which must be granted."""
    answer = client.post("/v1/completions", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ask_stream(client: httpx.Client, **body) -> list:
    """The chunks of a stream, which must end as it should."""
    with client.stream("POST", "/v1/completions", json=body | {"stream": True}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert events[-1] == "[DONE]"
    return [json.loads(event) for event in events[:-1]]


def refusal(answer: httpx.Response) -> dict:
    """The error in an answer, which must look as OpenAI's do."""
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    return error


def at_once(coroutine):
    """What a coroutine gives."""
    return asyncio.run(coroutine)
