"""Runs over HTTP are what lies in their folders, while somebody writes there or takes them away."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import httpx
import pytest

import cutaway
from cutaway.errors import ConfigError, TrainingError
from cutaway.server import Service
from cutaway.server.runs import held
from cutaway.server.runs.runs import Runs
from cutaway.server.runs.watched_run import watched_runs
from cutaway.train.config import LoRAConfig, OptimizerConfig
from cutaway.train.log import LOG, RunLog
from cutaway.train.loop import train
from serving import PATIENCE_S, refusal, served, serving
from test_cli_serve import process, ready
from test_cli_serve import run as run_serve
from training import log_of, tiny_run, write_data

TEXT = "The cat sat"
SAMPLED = {"sample_every": 2, "sample_prompt": "The ", "sample_tokens": 5, "log_every": 1, "eval_every": 3}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A run that has come to its end; to be looked at, not to be changed."""
    config = tiny_run(data, tmp_path_factory.mktemp("runs") / "mine", **SAMPLED)
    train(config)
    return config


@pytest.fixture
def copied(finished, tmp_path):
    """The same, to be changed."""
    shutil.copytree(finished.out, tmp_path / "mine", symlinks=True)
    return tmp_path / "mine"


@pytest.fixture(scope="module")
def url_of():
    """Serves some runs until the module is through."""
    with ExitStack() as stack:

        def start(*folders):
            model, _ = served()
            service = Service(lambda: [model], runs=Runs(watched_runs([str(folder) for folder in folders])))
            url = stack.enter_context(serving(service))
            service.wait(PATIENCE_S)
            return stack.enter_context(httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False))

        yield start


@pytest.fixture(scope="module")
def client(finished, url_of):
    return url_of(finished.out)


def card(client, at=0):
    return client.get("/inside/runs").json()["runs"][at]


def asked(client, path, **body):
    return client.post(f"/inside/runs/mine/{path}", json=body)


def newest(folder):
    return sorted((folder / "checkpoints").iterdir())[-1]


def test_a_run_is_described(client, finished):
    found = card(client)
    assert 0 <= found.pop("age_s") < 3600
    assert found.pop("elapsed_s") == log_of(finished)[-1]["elapsed_s"]
    assert found.pop("cursor") == client.get("/inside/runs/mine/log").json()["cursor"]
    model = cutaway.load(finished.out / "latest", device="cpu").model
    assert found == {
        "name": "mine",
        "problem": None,
        "step": 6,
        "steps": 6,
        "share": 1.0,
        "finished": True,
        "checkpoint": 6,
        "parameters": model.num_parameters(),
        "block_size": 16,
        "sample_every": 2,
        "sample_prompt": "The ",
    }


def test_the_log_is_that_of_the_run(client, finished):
    lines = log_of(finished)
    log, samples = (client.get(f"/inside/runs/mine/{what}").json() for what in ("log", "samples"))
    assert log["lines"] == [line for line in lines if "sample" not in line]
    assert samples["samples"] == [line for line in lines if "sample" in line]
    assert [line["step"] for line in samples["samples"]] == [2, 4, 6]
    assert log["from_start"]
    assert not log["more"]


def test_only_new_lines_are_sent_on(copied, url_of):
    client = url_of(copied)
    before = card(client)["cursor"]
    RunLog(copied / LOG).append(step=7, loss=1.5)
    new = client.get("/inside/runs/mine/log", params={"since": before}).json()
    assert (new["lines"], new["from_start"]) == ([{"step": 7, "loss": 1.5}], False)
    assert not card(client)["finished"]
    RunLog(copied / LOG).forget_after(2)
    assert client.get("/inside/runs/mine/log", params={"since": new["cursor"]}).json()["from_start"]


def test_whoever_asks_again_is_told_only_what_is_new(copied, url_of, caplog):
    caplog.set_level("INFO", "cutaway.server")
    client = url_of(copied)
    client.headers["x-request-id"] = "ours"  # for a line of an earlier test may come only now

    def again(known):
        return client.get("/inside/runs", headers={"if-none-match": known.headers["etag"]})

    def logged(count):
        # An answer is there before the line that tells of it.
        deadline = time.monotonic() + PATIENCE_S
        while len(found := ours()) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return found

    def ours():
        return [record.status for record in caplog.records if record.request_id == "ours"]

    first = client.get("/inside/runs")
    assert logged(1) == [200]
    same = again(first)
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    RunLog(copied / LOG).append(step=7, loss=1.5)
    new = again(same)
    assert (new.status_code, new.json()["runs"][0]["step"]) == (200, 7)
    assert logged(2) == [200, 200]
    assert again(new).status_code == 304
    away = copied.rename(copied.with_name("away"))
    assert "is gone" in again(new).json()["runs"][0]["problem"]
    assert logged(3) == [200, 200, 200]
    away.rename(copied)
    assert again(new).status_code == 304


def test_the_newest_checkpoint_is_what_is_asked(client, finished):
    gpt = cutaway.load(finished.out / "latest", device="cpu")
    found = asked(client, "read", prompt=TEXT, top=3).json()
    assert found["step"] == 6
    scores = gpt.score(TEXT, 3)
    assert [token["logprob"] for token in found["tokens"]][1:] == pytest.approx(
        [score.logprob for score in scores[1:]], abs=1e-5
    )
    assert [token for token, *_ in found["next"]] == [one.token for one in scores[-1].predictions]
    for question in ("attention", "text", "lens"):
        answer = asked(client, f"views/{question}", prompt=TEXT).json()
        assert answer["step"] == 6
        assert answer["views"][0]["tokens"] == gpt.tokenizer.pieces(gpt.ids(TEXT))


def test_it_writes_what_the_run_would_have_written(client, finished):
    at_the_end = [line["sample"] for line in log_of(finished) if "sample" in line][-1]
    assert asked(client, "sample").json() == {"step": 6, "sample": at_the_end}
    other = asked(client, "sample", prompt="The dog").json()["sample"]
    assert other.startswith("The dog")
    assert len(other) > len("The dog")


def test_a_newer_checkpoint_takes_the_place_of_the_one_in_memory(data, tmp_path, url_of, monkeypatch):
    opened, really = [], held.opened
    monkeypatch.setattr(held, "opened", lambda path, name: opened.append(path.name) or really(path, name))
    train(tiny_run(data, tmp_path / "mine", steps=2))
    client = url_of(tmp_path / "mine")
    before = [asked(client, "read", prompt=TEXT).json() for _ in range(2)]
    train(tiny_run(data, tmp_path / "mine", steps=4))
    after = asked(client, "read", prompt=TEXT).json()
    assert before[0] == before[1]
    assert (before[0]["step"], after["step"], card(client)["checkpoint"]) == (2, 4, 4)
    assert before[0]["tokens"][1]["logprob"] != after["tokens"][1]["logprob"]
    assert opened == ["step-000000002", "step-000000004"]


def test_a_run_that_began_anew_is_not_mistaken_for_the_old_one(data, tmp_path, url_of):
    train(tiny_run(data, tmp_path / "mine", steps=2))
    client = url_of(tmp_path / "mine")
    before = asked(client, "read", prompt=TEXT).json()
    shutil.rmtree(tmp_path / "mine")
    train(tiny_run(data, tmp_path / "mine", steps=2, seed=5))
    after = asked(client, "read", prompt=TEXT).json()
    assert before["step"] == after["step"] == 2
    assert before["tokens"][1]["logprob"] != after["tokens"][1]["logprob"]


def test_several_runs_have_one_model_between_them(data, finished, tmp_path, url_of):
    train(tiny_run(data, tmp_path / "other", steps=2, seed=3))
    client = url_of(finished.out, f"second={tmp_path / 'other'}")
    assert [run["name"] for run in client.get("/inside/runs").json()["runs"]] == ["mine", "second"]
    one, other, again = (
        client.post(f"/inside/runs/{name}/read", json={"prompt": TEXT}).json() for name in ("mine", "second", "mine")
    )
    assert one == again
    assert (one["step"], other["step"]) == (6, 2)


def test_additions_are_read_with_the_model_they_belong_to(data, finished, tmp_path, url_of):
    start = str((finished.out / "latest").resolve())
    adamw = OptimizerConfig(name="adamw")
    changes = {"init": start, "lora": LoRAConfig(rank=2, targets=("c_attn",)), "optimizer": adamw}
    trained = train(tiny_run(data, tmp_path / "mine", steps=3, **changes))
    found = asked(url_of(tmp_path / "mine"), "read", prompt=TEXT).json()
    tokenizer = cutaway.load(start, device="cpu").tokenizer
    scores = cutaway.language_model.LanguageModel(trained, tokenizer).score(TEXT)
    assert [token["logprob"] for token in found["tokens"]][1:] == pytest.approx(
        [score.logprob for score in scores[1:]], abs=1e-4
    )


def test_it_can_be_asked_all_the_while_a_run_lets_go_of_its_checkpoints(data, tmp_path, url_of):
    config = tiny_run(data, tmp_path / "mine", steps=40, log_every=1, eval_every=100, checkpoint_every=1)
    config = replace(config, keep_checkpoints=1)
    (config.out / "checkpoints").mkdir(parents=True)
    client = url_of(config.out)
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(train, config)
        steps, lines, cursor = [], [], ""
        while not training.done():
            assert client.get("/inside/runs").status_code == 200
            page = client.get("/inside/runs/mine/log", params={"since": cursor}).json()
            lines, cursor = [*lines, *page["lines"]], page["cursor"]
            answer = asked(client, "read", prompt=TEXT)
            if answer.status_code == 200:
                steps.append(answer.json()["step"])
            else:
                assert refusal(answer)["code"] in ("no_checkpoint", "checkpoint_gone")
        training.result()
    lines += client.get("/inside/runs/mine/log", params={"since": cursor}).json()["lines"]
    assert lines == log_of(config)
    assert steps == sorted(steps)
    assert asked(client, "read", prompt=TEXT).json()["step"] == 40


def test_a_checkpoint_that_is_let_go_of_while_it_is_read_makes_way_for_the_next(copied, url_of, monkeypatch):
    client = url_of(copied)
    older = newest(copied)
    newer = older.with_name("step-000000008")

    def gone(path, name, real=held.opened):
        if path == older:
            older.rename(newer)
        return real(path, name)

    monkeypatch.setattr(held, "opened", gone)
    assert asked(client, "read", prompt=TEXT).json()["step"] == 8


def test_checkpoints_that_always_come_and_go_are_told(copied, url_of, monkeypatch):
    client = url_of(copied)

    def gone(path, name):
        path.rename(path.with_name(f"step-{int(path.name[5:]) + 1:09}"))
        raise FileNotFoundError

    monkeypatch.setattr(held, "opened", gone)
    answer = asked(client, "read", prompt=TEXT)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert refusal(answer)["code"] == "checkpoint_gone"


def test_a_damaged_checkpoint_is_told_and_a_whole_one_read_again(copied, url_of):
    client = url_of(copied)
    weights = newest(copied) / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:100])
    answer = asked(client, "read", prompt=TEXT)
    assert answer.status_code == 503
    assert "at step 6 cannot be loaded: " in refusal(answer)["message"]
    weights.write_bytes(content)
    assert asked(client, "read", prompt=TEXT).status_code == 200


def test_a_run_that_disappears_is_told_and_may_come_back(copied, url_of):
    client = url_of(copied)
    away = copied.rename(copied.with_name("away"))
    assert "is gone" in card(client)["problem"]
    for what in ("log", "samples"):
        answer = client.get(f"/inside/runs/mine/{what}")
        assert answer.status_code == 503
        assert refusal(answer)["code"] == "run_unreadable"
    answer = asked(client, "views/attention", prompt=TEXT)
    assert answer.status_code == 404
    assert refusal(answer)["code"] == "no_checkpoint"
    away.rename(copied)
    assert card(client)["problem"] is None
    assert asked(client, "views/attention", prompt=TEXT).status_code == 200


def test_a_log_that_becomes_something_else_is_told(copied, url_of):
    client = url_of(copied)
    (copied / LOG).write_text("something else\n")
    assert "is not the log of a run" in card(client)["problem"]
    assert refusal(client.get("/inside/runs/mine/log"))["code"] == "run_unreadable"


def test_before_the_first_line_and_checkpoint_there_is_little_to_say(tmp_path, url_of):
    (tmp_path / "mine" / "checkpoints").mkdir(parents=True)
    client = url_of(tmp_path / "mine")
    found = card(client)
    assert (found["step"], found["finished"], found["checkpoint"], found["age_s"]) == (None, False, None, None)
    assert client.get("/inside/runs/mine/log").json()["lines"] == []
    assert refusal(asked(client, "read", prompt=TEXT))["code"] == "no_checkpoint"


def test_a_record_of_another_version_does_no_harm(copied, url_of):
    client = url_of(copied)
    record = newest(copied) / "checkpoint.json"
    values = json.loads(record.read_text())
    values["config"]["of_tomorrow"] = 1
    record.write_text(json.dumps(values))
    found = card(client)
    assert (found["step"], found["checkpoint"]) == (6, 6)
    assert "steps" not in found
    assert "does not say how it samples" in refusal(asked(client, "sample"))["message"]
    assert asked(client, "read", prompt=TEXT).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/inside/runs/yours/log", None, 404, "there is no run 'yours' here"),
        ("/inside/runs/mine/log?since=x", None, 400, "no place in a log"),
        ("/inside/runs/yours/samples", None, 404, "there is no run"),
        ("/inside/runs/..%2fmine/log", None, 404, "Not Found"),
        ("/inside/runs/yours/read", {"prompt": TEXT}, 404, "there is no run"),
        ("/inside/runs/mine/read", {"prompt": "y" * 40}, 400, "40 tokens do not fit a context of 16"),
        ("/inside/runs/mine/read", {"prompt": TEXT, "tpo": 1}, 400, "did you mean 'top'"),
        ("/inside/runs/mine/views/nonsense", {"prompt": TEXT}, 404, "there is no question"),
        ("/inside/runs/mine/views/attribution", {"prompt": TEXT, "position": 99}, 400, "no position 99"),
        ("/inside/runs/mine/sample", {"prompt": 1}, 400, "prompt=1 is not valid"),
    ],
)
def test_mistakes_are_told(client, path, body, status, message):
    answer = client.get(path) if body is None else client.post(path, json=body)
    assert answer.status_code == status
    assert message in refusal(answer)["message"]


def test_a_server_without_runs_says_how_to_get_some(url_of):
    client = url_of()
    assert client.get("/inside/runs").json() == {"runs": []}
    assert "start the server with --run FOLDER" in refusal(client.get("/inside/runs/mine/log"))["message"]


def test_nothing_is_written_into_a_run(copied, url_of):
    def names():
        return {path: path.stat().st_mtime_ns for path in copied.rglob("*")}

    before, client = names(), url_of(copied)
    client.get("/inside/runs/mine/log")
    assert asked(client, "views/attention", prompt=TEXT).status_code == 200
    assert asked(client, "sample").status_code == 200
    assert names() == before


def test_runs_are_shown_under_their_names(finished, tmp_path):
    folder = tmp_path / "lr=0.1"
    shutil.copytree(finished.out, folder)
    assert list(watched_runs([str(finished.out), f"other={finished.out}", str(folder)])) == ["mine", "other", "lr=0.1"]
    with pytest.raises(ConfigError, match="two runs would be shown as 'mine'"):
        watched_runs([str(finished.out)] * 2)
    for name in ("a/b", ""):
        with pytest.raises(ConfigError, match="a run cannot be shown as"):
            watched_runs([f"{name}={finished.out}"])


def test_the_command_shows_runs_beside_its_model(finished):
    with process("--run", f"shown={finished.out}") as (_, url), ready(url) as client:
        assert card(client)["name"] == "shown"
        assert client.post("/inside/runs/shown/read", json={"prompt": TEXT}).json()["step"] == 6
        assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["fable"]


@pytest.mark.parametrize("name", ["nowhere", "empty", "strange"])
def test_a_folder_that_is_not_that_of_a_run_is_refused_at_the_start(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / LOG).write_text("something else\n")
    done = run_serve("--port", "0", "--run", str(tmp_path / name))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "of a run" in done.stderr
    with pytest.raises(TrainingError):
        watched_runs([str(tmp_path / name)])
