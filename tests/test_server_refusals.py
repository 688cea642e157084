"""What the server refuses, how it says so, and that it goes on."""

import socket
import threading
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from cutaway.engine import EngineLimits
from cutaway.errors import ConfigError
from cutaway.server import ServerSettings, Service
from serving import NAME, PATIENCE_S, ask, ask_stream, client_of, refusal, served, serving
from tiny import TOKENIZER

KEY = "a-secret-of-some-length"


@pytest.fixture(scope="module")
def client():
    with client_of(served()[0], max_body_bytes=100_000, max_prompts=8) as client:
        yield client


BAD = [
    ({"promt": "x"}, "promt", "did you mean 'prompt'"),
    ({"prompt": 7}, "prompt", "7"),
    ({"prompt": []}, "prompt", "holds nothing"),
    ({"prompt": ["x"] * 9}, "prompt", "at most 8"),
    ({"prompt": [1, "x"]}, "prompt", "not valid"),
    ({"prompt": [272]}, None, "vocabulary"),
    ({"prompt": [-1]}, "prompt", "not valid"),
    ({"prompt": "x", "max_tokens": 32}, "max_tokens", "the context of 32"),
    ({"prompt": "y" * 33}, "prompt", "context"),
    ({"prompt": "y" * 50_000}, "prompt", "50,000 characters"),
    ({"prompt": "x", "max_tokens": 0}, "max_tokens", "asks for nothing"),
    ({"prompt": "x", "max_tokens": 1.5}, "max_tokens", "1.5"),
    ({"prompt": "x", "max_tokens": "9"}, "max_tokens", "'9'"),
    ({"prompt": "x", "temperature": 2.1}, "temperature", "2.1"),
    ({"prompt": "x", "temperature": 1e-9}, None, "too close to 0"),
    ({"prompt": "x", "top_p": 0}, "top_p", "0"),
    ({"prompt": "x", "n": 0}, "n", "0"),
    ({"prompt": "x", "n": 200}, "n", "at most 128"),
    ({"prompt": "x", "n": 3, "best_of": 2}, "best_of", "less than n=3"),
    ({"prompt": "x", "best_of": 2, "stream": True}, "best_of", "cannot be streamed"),
    ({"prompt": "x", "stream_options": {}}, "stream_options", "stream=true"),
    ({"prompt": "x", "stream": True, "stream_options": {"usage": True}}, "stream_options", "not valid"),
    ({"prompt": "x", "stop": list("abcde")}, "stop", "at most 4"),
    ({"prompt": "x", "stop": ""}, "stop", "never be met"),
    ({"prompt": "x", "logprobs": 6}, "logprobs", "6"),
    ({"prompt": "x", "logprobs": True}, "logprobs", "True"),
    ({"prompt": "x", "logit_bias": {"x": 1}}, "logit_bias", "not a token id"),
    ({"prompt": "x", "logit_bias": {"1": 101}}, "logit_bias", "101"),
    ({"prompt": "x", "suffix": "y"}, "suffix", "forward only"),
    ({"prompt": "x", "seed": 1 << 64}, "seed", "not valid"),
    ({"prompt": "x", "model": "gpt-9"}, "model", "there is no model"),
    ([], None, "the body"),
    ("x", None, "the body"),
]


@pytest.mark.parametrize(("body", "param", "message"), BAD, ids=lambda value: str(value)[:60])
def test_a_bad_request_is_told_why(client, body, param, message):
    answer = client.post("/v1/completions", json=body)
    error = refusal(answer)
    assert answer.status_code == (404 if param == "model" else 400)
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert message in error["message"]
    assert "\n" not in error["message"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"prompt": "\xff"}',
        b"[" * 50_000,
        b'{"prompt": NaN}',
        b'{"temperature": 1e999}',
        b"null",
    ],
    ids=["nothing", "half", "no UTF-8", "no UTF-8 within", "deep", "NaN", "infinite", "null"],
)
def test_what_is_no_json_object_is_refused(client, content):
    answer = client.post("/v1/completions", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    refusal(answer)
    assert client.get("/health").status_code == 200


def test_a_lone_surrogate_is_refused(client):
    body = b'{"prompt": "\\ud800", "max_tokens": 1}'
    answer = client.post("/v1/completions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    refusal(answer)


def test_unknown_paths_and_methods(client):
    assert refusal(client.get("/v2/completions"))["code"] == "not_found"
    answer = client.get("/v1/completions")
    assert answer.status_code == 405
    assert refusal(answer)["code"] == "method_not_allowed"


def test_giants_are_refused_whether_or_not_they_say_so(client):
    announced = client.post("/tokenize", content=b"x" * 100_001)
    streamed = client.post("/tokenize", content=iter([b"x" * 60_000] * 2))
    for answer in (announced, streamed):
        assert answer.status_code == 413
        assert refusal(answer)["code"] == "body_too_large"


def connected(client):
    """A connection to the client's server, to send to it whatever one likes."""
    url = urlsplit(str(client.base_url))
    return socket.create_connection((url.hostname, url.port), timeout=PATIENCE_S)


def test_a_body_that_dribbles_is_given_up():
    with client_of(served()[0], body_time_s=0.2) as client, connected(client) as connection:
        connection.sendall(b"POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        assert b" 408 " in connection.recv(4096)


def test_a_head_that_dribbles_is_given_up(client, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("cutaway.server.run.HEADER_TIME_S", 0.2)
        with connected(client) as connection:
            connection.sendall(b"GET /health HTT")
            assert connection.recv(4096) == b""
    assert client.get("/health").status_code == 200


def test_a_key_is_wanted_where_there_is_one():
    with client_of(served()[0], keys=("another-key-of-mine", KEY)) as client:
        for headers in ({}, {"authorization": "Bearer nonsense"}, {"authorization": KEY}, {"authorization": "Bearer"}):
            answer = client.get("/v1/models", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert refusal(answer)["code"] == "invalid_api_key"
        assert client.get("/v1/models", headers={"authorization": f"Bearer {KEY}"}).status_code == 200
        assert client.get("/health").status_code == 200


def test_keys_and_texts_are_not_logged(caplog):
    caplog.set_level("INFO", "cutaway.server")
    with client_of(served()[0], keys=(KEY,)) as client:
        client.headers["authorization"] = f"Bearer {KEY}"
        ask(client, prompt="a remarkable prompt", max_tokens=2)
        client.get("/v1/models", headers={"authorization": "Bearer some-wrong-key"})
    logged = " ".join(str(vars(record)) for record in caplog.records)
    assert "/v1/completions" in logged
    for secret in (KEY, "some-wrong-key", "remarkable"):
        assert secret not in logged


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org"])
def test_strangers_are_let_in_only_with_a_key_or_on_purpose(host):
    with pytest.raises(ConfigError, match="CUTAWAY_API_KEY"):
        ServerSettings(host=host)
    assert ServerSettings(host=host, keys=(KEY,)).host == host
    assert ServerSettings(host=host, public=True).host == host


def test_no_other_site_may_ask(client):
    answer = client.post(
        "/v1/completions", json={"prompt": "x", "max_tokens": 1}, headers={"origin": "https://example.org"}
    )
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_one_more_than_may_wait_is_told_to_come_again():
    model, gate = served(EngineLimits(max_running=1, max_waiting=2))
    with client_of(model) as client:
        gate.open.clear()
        with httpx.Client(base_url=client.base_url, timeout=PATIENCE_S, trust_env=False) as other:
            waiting = [
                other.stream("POST", "/v1/completions", json={"prompt": "x", "stream": True, "n": 1}) for _ in range(1)
            ]
            with waiting[0]:
                refused = until(lambda: client.post("/v1/completions", json={"prompt": "y", "n": 2}), 429)
                assert refused.headers["retry-after"] == "1"
                assert refusal(refused)["code"] == "queue_full"
                gate.open.set()
        assert until(lambda: client.post("/v1/completions", json={"prompt": "y", "n": 2}), 200).json()["choices"]


def test_a_request_that_takes_too_long_is_ended():
    seconds = 0.0
    model, gate = served(clock=lambda: seconds)
    with client_of(model, time_limit_s=5) as client:
        ask_stream(client, prompt="x", max_tokens=1)

        def slow_read(slots, tokens, answers, read=gate.read):
            nonlocal seconds
            seconds += 6
            return read(slots, tokens, answers)

        gate.read = slow_read
        answer = client.post("/v1/completions", json={"prompt": "x", "ignore_eos": True})
        assert answer.status_code == 504
        assert "longer than its 5 s" in refusal(answer)["message"]


def test_a_client_that_leaves_frees_its_place():
    model, gate = served(EngineLimits(max_running=1))
    with client_of(model) as client:
        gate.open.clear()
        for stream in (False, True):
            with pytest.raises(httpx.ReadTimeout):
                client.post(
                    "/v1/completions",
                    json={"prompt": "x", "stream": stream},
                    timeout=httpx.Timeout(PATIENCE_S, read=0.2),
                )
        gate.open.set()
        until(lambda: model.engine.statistics.running + model.engine.statistics.waiting, 0)
        assert ask(client, prompt="x", max_tokens=1)["choices"]


def test_a_server_that_loads_says_so():
    ready = threading.Event()

    def load():
        ready.wait(PATIENCE_S)
        return [served()[0]]

    service = Service(load)
    with serving(service) as url, httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False) as client:
        answer = client.get("/health")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert refusal(client.post("/v1/completions", json={"prompt": "x"}))["code"] == "loading"
        ready.set()
        service.wait(PATIENCE_S)
        assert client.get("/health").json() == {"status": "ok"}


def test_a_model_that_cannot_be_loaded_is_told_too():
    def load():
        raise ConfigError("it is broken")

    service = Service(load)
    with serving(service) as url, httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False) as client:
        with pytest.raises(ConfigError):
            service.wait(PATIENCE_S)
        answer = client.get("/health")
        assert answer.status_code == 503
        assert "it is broken" in refusal(answer)["message"]


def test_every_answer_carries_a_number(client):
    assert client.get("/health", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert len(client.get("/health", headers={"x-request-id": "no good"}).headers["x-request-id"]) == 32
    assert refusal(client.get("/nowhere"))
    assert client.get("/nowhere").headers["x-request-id"]


def test_the_other_paths(client):
    ids = TOKENIZER.encode("The fox")
    found = client.post("/tokenize", json={"prompt": "The fox", "return_token_strs": True}).json()
    assert found == {"tokens": ids, "count": len(ids), "max_model_len": 32, "token_strs": TOKENIZER.pieces(ids)}
    assert client.post("/detokenize", json={"tokens": ids}).json() == {"prompt": "The fox"}
    assert client.post("/detokenize", json={"tokens": [999]}).status_code == 400
    assert client.get("/v1/models").json()["data"][0]["id"] == NAME
    assert client.get(f"/v1/models/{NAME}").json()["max_model_len"] == 32
    assert client.get("/version").json().keys() == {"version"}
    ask(client, prompt="x", max_tokens=3, ignore_eos=True)
    counts = client.get("/metrics").text
    assert f'vllm:request_success_total{{finished_reason="length",model_name="{NAME}"}}' in counts
    assert f'vllm:num_requests_running{{model_name="{NAME}"}} 0.0' in counts


def test_the_document_of_the_api_names_every_path_and_error(client):
    document = client.get("/openapi.json").json()
    assert {"/v1/completions", "/v1/models", "/tokenize", "/detokenize", "/health", "/version", "/metrics"} <= document[
        "paths"
    ].keys()
    answers = document["paths"]["/v1/completions"]["post"]["responses"]
    assert {"400", "401", "413", "429", "503"} <= answers.keys()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/v1/completions", {"prompt": "x", "max_tokens": 1}),
        ("post", "/v1/completions", {"prompt": "x", "max_tokens": 1, "stream": True}),
        ("post", "/inside/continue", {"prompt": "x", "max_tokens": 1}),
        ("post", "/inside/trace", {"prompt": "x", "names": ["embed"]}),
        ("post", "/inside/read", {"prompt": "x"}),
        ("post", "/inside/weights", {"vectors": ["ln_f.bias"]}),
        ("get", "/inside/runs", None),
        ("get", "/metrics", None),
        ("get", "/health", None),
    ],
)
def test_what_is_answered_is_of_a_kind_that_the_document_names(client, method, path, body):
    answer = client.request(method, path, json=body)
    assert answer.status_code == 200
    document = client.get("/openapi.json").json()
    named = document["paths"][path][method]["responses"]["200"]["content"]
    assert answer.headers["content-type"].partition(";")[0] in named


@pytest.mark.parametrize("path", ["/inside/views/{question}", "/inside/runs/{name}/views/{question}"])
def test_the_document_names_the_questions_that_can_be_asked(client, path):
    parameters = client.get("/openapi.json").json()["paths"][path]["post"]["parameters"]
    assert parameters[-1]["schema"]["enum"] == client.get("/inside/model").json()["questions"]


def test_the_document_names_what_any_request_may_be_refused_for(client):
    paths = client.get("/openapi.json").json()["paths"]
    for answers in (each["responses"] for methods in paths.values() for each in methods.values()):
        assert {"400", "401", "408", "413", "500", "503"} <= answers.keys()


def until(look, wanted):
    """What `look` finds once that is what is wanted, or its status is."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = look()
        if wanted in (found, getattr(found, "status_code", None)):
            return found
        time.sleep(0.02)
    raise AssertionError(f"still {found} after {PATIENCE_S} s, not {wanted}")


def test_slow_clients_do_not_keep_others_out(monkeypatch):
    """Those who dribble their heads are hung up on, those who dribble their bodies are told; meanwhile all goes on."""
    body = b"POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"
    with client_of(served()[0], body_time_s=2) as client, ExitStack() as stack:
        assert client.get("/health").status_code == 200  # over a connection that it keeps
        monkeypatch.setattr("cutaway.server.run.HEADER_TIME_S", 0.5)
        slow = [stack.enter_context(connected(client)) for _ in range(60)]
        for number, connection in enumerate(slow):
            connection.sendall(b"GET /health HTT" if number % 2 else body)
        assert ask(client, prompt="x", max_tokens=2)["choices"]
        answers = [connection.recv(4096) for connection in slow]
        assert client.get("/health").status_code == 200
    assert all(b" 408 " in answer for answer in answers[::2])
    assert set(answers[1::2]) == {b""}


def test_a_crowd_is_served_as_far_as_it_may_wait_and_the_rest_is_told_to_come_again():
    model, gate = served(EngineLimits(max_running=2, max_waiting=20))
    with client_of(model) as client:
        request = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        request += b'Connection: close\r\nContent-Length: 32\r\n\r\n{"prompt": "x", "max_tokens": 2}'
        gate.open.clear()
        with ExitStack() as stack:
            crowd = [stack.enter_context(connected(client)) for _ in range(100)]
            for connection in crowd:
                connection.sendall(request)
            until(lambda: 'requests_refused_total{status="429"}' in client.get("/metrics").text, True)
            gate.open.set()
            statuses = [connection.makefile("rb").read().split(b" ", 2)[1] for connection in crowd]
        assert set(statuses) == {b"200", b"429"}
        assert statuses.count(b"200") >= 20
        until(lambda: model.engine.statistics.running + model.engine.statistics.waiting, 0)
        assert ask(client, prompt="x", max_tokens=1)["choices"]
