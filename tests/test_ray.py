"""Replicas and shares on many machines. What needs Ray itself runs only where it is installed."""

import asyncio
import importlib.util

import httpx
import numpy as np
import pytest

from command_line import tiny
from cutaway.data import Job, PrepareSettings, find, prepare
from cutaway.errors import ConfigError, MissingExtraError
from cutaway.language_model import load_generator
from cutaway.native import NativeModel
from cutaway.ray_data import Writer, continue_prompts, prepare_shares
from cutaway.sampling import SamplingParams
from cutaway.server import ray_serve
from cutaway.server.ray_serve import Replicas, replica_app
from cutaway.weights import load_tokenizer

INSTALLED = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not INSTALLED, reason="Ray is not installed")
without_ray = pytest.mark.skipif(INSTALLED, reason="Ray is installed")
PROMPTS = ["the cat", "once upon", "a mat"]
PARAMS = SamplingParams(max_tokens=5, seed=1, n=2)


def asked(**options) -> dict[str, str]:
    return {"model": f"tiny={tiny()}"} | options


@without_ray
def test_without_ray_the_error_says_how_to_get_it():
    for call in (lambda: ray_serve.app(asked()), lambda: continue_prompts(None, PARAMS)):
        with pytest.raises(MissingExtraError, match=r"pip install 'cutaway\[ray\]'"):
            call()


def test_options_come_from_the_command_line_as_text():
    found = Replicas.parse({"model": "a,b=c", "replicas": "4", "max_running": "2"})
    assert (found.model, found.replicas, found.limits.max_running) == ("a,b=c", 4, 2)
    for given, message in [
        ({"replica": "2"}, "did you mean 'replicas'"),
        ({"replicas": "two"}, "replicas='two' is not a whole number"),
        ({"replicas": "0"}, "give at least 1"),
    ]:
        with pytest.raises(ConfigError, match=message):
            Replicas.parse(given)


async def answered(app, **body):
    """What an application answers that is called as Ray calls it: without a socket, but with its lifespan."""
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        while (await client.get("/health")).status_code != 200:
            await asyncio.sleep(0.01)
        return await client.post("/v1/completions", json=body)


def test_a_replica_is_the_application_that_serve_runs():
    app = replica_app(Replicas.parse(asked()))
    found = asyncio.run(answered(app, model="tiny", prompt="the cat", max_tokens=5, seed=1, n=2)).json()
    expected = load_generator(tiny()).generate("the cat", PARAMS.replace(temperature=1.0, top_p=1.0))
    assert [choice["text"] for choice in found["choices"]] == [sample.text for sample in expected.samples]


def network(app):
    """What a replica's engine computes with."""
    app.state.service.begin()
    app.state.service.wait(60)
    return app.state.service.model().generator.model


def test_a_replica_uses_no_more_cores_than_are_its_own():
    app = replica_app(Replicas.parse(asked(cpus="1")))
    assert not isinstance(network(app), NativeModel) or network(app).threads == 1


def test_a_replica_wants_the_key_of_its_surroundings(monkeypatch):
    monkeypatch.setenv("CUTAWAY_API_KEY", "a-secret-of-some-length")
    assert asyncio.run(answered(replica_app(Replicas.parse(asked())), prompt="x")).status_code == 401


def test_a_writer_continues_each_prompt_of_a_batch_and_keeps_the_rest_of_its_row():
    writer = Writer(tiny(), PARAMS, "said")
    batch = writer({"said": np.array(PROMPTS), "id": np.arange(3)})
    expected = [sample.text for one in load_generator(tiny()).generate_batch(PROMPTS, PARAMS) for sample in one.samples]
    assert batch["text"].tolist() == expected
    assert batch["id"].tolist() == [0, 0, 1, 1, 2, 2]


@pytest.fixture
def cluster():
    import ray

    ray.init(num_cpus=2, logging_level="ERROR", log_to_driver=False)
    yield ray
    ray.shutdown()


@needs_ray
@pytest.mark.filterwarnings("default")  # Ray's own
def test_shares_on_a_cluster_are_the_bytes_of_one_process(cluster, tmp_path):
    (tmp_path / "corpus").mkdir()
    for number in range(6):
        (tmp_path / "corpus" / f"{number}.txt").write_text(f"story {number} of a king. " * 200)
    corpus = find((str(tmp_path / "corpus"),), None, None)
    job = Job(corpus, load_tokenizer(tiny()), PrepareSettings(validation=0.3))
    alone = prepare(job, tmp_path / "alone")
    assert prepare_shares(job, tmp_path / "shared", 3) == alone
    for shard in alone.shards:
        assert (tmp_path / "shared" / shard.file).read_bytes() == (tmp_path / "alone" / shard.file).read_bytes()


@needs_ray
@pytest.mark.filterwarnings("default")
def test_prompts_continued_on_a_cluster_are_those_of_one_process(cluster):
    rows = [{"prompt": prompt, "id": number} for number, prompt in enumerate(PROMPTS)]
    found = continue_prompts(cluster.data.from_items(rows), PARAMS, source=tiny(), replicas=2, batch_size=2).take_all()
    expected = load_generator(tiny()).generate_batch(PROMPTS, PARAMS)
    texts = [(number, sample.text) for number, one in enumerate(expected) for sample in one.samples]
    assert sorted((row["id"], row["text"]) for row in found) == sorted(texts)


@needs_ray
@pytest.mark.filterwarnings("default")
def test_replicas_answer_alike(cluster):
    from ray import serve

    serve.run(ray_serve.app(asked(replicas="2")))
    try:
        body = {"prompt": "the cat", "max_tokens": 5, "seed": 1}
        with httpx.Client(base_url="http://127.0.0.1:8000", trust_env=False, timeout=60) as client:
            texts = {client.post("/v1/completions", json=body).json()["choices"][0]["text"] for _ in range(8)}
            with client.stream("POST", "/v1/completions", json=body | {"stream": True}) as answer:
                assert list(answer.iter_lines())[-2] == "data: [DONE]"
        assert len(texts) == 1
    finally:
        serve.shutdown()
