"""What happens inside, over HTTP, is what `cutaway.inspect` sees."""

import base64
import json
import zlib

import numpy as np
import pytest

from cutaway.inspect import Trace, ablate_heads, patch, scale, steer, trace
from cutaway.pages.quantization import dequantize, unpack
from cutaway.server.inside.asked_edits import AskedEdit, with_edits
from cutaway.server.inside.patterns import score_through
from serving import refusal
from tiny import TOKENIZER

TEXT = "The fox met an owl"


def views(client, question, **body):
    answer = client.post(f"/inside/views/{question}", json={"prompt": TEXT} | body)
    assert answer.status_code == 200, answer.text
    return answer.json()["views"]


def block(view, name):
    return zlib.decompress(base64.b64decode(view["blocks"][name]))


def sent(client, tmp_path, **body) -> Trace:
    answer = client.post("/inside/trace", json={"prompt": TEXT} | body)
    assert answer.status_code == 200, answer.text
    (tmp_path / "trace.safetensors").write_bytes(answer.content)
    return Trace.load(tmp_path / "trace.safetensors")


EDITS = {
    "a head switched off": (
        {"kind": "scale", "name": "h.1.z", "factor": 0, "heads": [2]},
        lambda gpt: ablate_heads(1, 2),
    ),
    "an MLP made stronger": (
        {"kind": "scale", "name": "h.0.mlp_out", "factor": 1.5},
        lambda gpt: scale("h.0.mlp_out", 1.5),
    ),
    "a state of another text": (
        {"kind": "patch", "name": "h.1.resid_pre", "text": "An owl", "positions": [1]},
        lambda gpt: patch(trace(gpt, "An owl", "h.1.resid_pre"), "h.1.resid_pre", positions=1),
    ),
    "a push": (
        {"kind": "steer", "name": "h.1.resid_pre", "factor": 2.0, "text": "owl", "away": "fox"},
        lambda gpt: steer(
            1,
            trace(gpt, "owl", "h.1.resid_pre")["h.1.resid_pre"].mean(0)
            - trace(gpt, "fox", "h.1.resid_pre")["h.1.resid_pre"].mean(0),
            2.0,
        ),
    ),
}

PATTERN_OFF = {"kind": "scale", "name": "h.1.pattern", "factor": 0.5, "heads": [2]}


def test_a_trace_is_sent_as_a_file(client, gpt, tmp_path):
    found = sent(client, tmp_path, names=["logits", "pattern", "h.0.mlp_post"])
    expected = gpt.trace(TEXT)
    assert found.pieces == expected.pieces
    for name in ("logits", "h.0.pattern", "h.1.pattern", "h.0.mlp_post"):
        assert np.allclose(found[name].numpy(), expected[name].numpy(), atol=1e-5)


@pytest.mark.parametrize("edit", EDITS)
def test_changes_are_those_of_inspect(client, gpt, tmp_path, edit):
    asked, made = EDITS[edit]
    expected = gpt.edited(made(gpt)).trace(TEXT, "logits")["logits"].numpy()
    assert np.allclose(sent(client, tmp_path, names=["logits"], edits=[asked])["logits"].numpy(), expected, atol=1e-6)
    assert not np.allclose(gpt.trace(TEXT, "logits")["logits"].numpy(), expected, atol=1e-3)


@pytest.mark.parametrize("question", ["attention", "lens", "text", "attribution", "tokens", "positions"])
def test_every_question_is_answered_by_views(client, question):
    for view in views(client, question):
        assert view["kind"] in {"attention", "lens", "text", "bars", "heatmap", "scatter"}
        assert view["title"]
        for name in view["blocks"]:
            assert block(view, name)


@pytest.mark.parametrize("prompt", [TEXT, "The fox, the owl, the fox, the o"], ids=["short", "the whole context"])
@pytest.mark.parametrize("edits", [[], [PATTERN_OFF]], ids=["plain", "changed"])
def test_heads_that_are_asked_for_one_by_one_are_those_of_the_whole(client, gpt, edits, prompt, monkeypatch):
    monkeypatch.setattr("cutaway.server.inside.patterns.ROWS", 7)
    asked = {"prompt": prompt, "edits": edits}
    [whole], [overview] = views(client, "attention", **asked), views(client, "attention", overview=True, **asked)
    assert overview == whole | {"blocks": {name: whole["blocks"][name] for name in ("heads", "thumbnails")}}
    changed = gpt.edited(scale("h.1.pattern", 0.5, heads=[2])) if edits else gpt
    for layer, head in [(0, 1), (1, 2)]:
        name = f"pattern-{layer}-{head}"
        [alone] = views(client, "attention", heads=[[layer, head]], **asked)
        assert alone["blocks"][name] == whole["blocks"][name]
        expected = trace(changed, prompt, "pattern")[f"h.{layer}.pattern"][head].numpy()
        found = dequantize(unpack(base64.b64decode(alone["blocks"][name]), 16), 16)
        assert np.abs(found - expected[np.tri(len(expected), dtype=bool)]).max() <= alone["error"] + 1e-6


def test_a_text_is_read_once_for_all_its_heads(client, monkeypatch):
    read = []
    monkeypatch.setattr("cutaway.server.inside.patterns.trace", lambda *asked: read.append(asked[1]) or trace(*asked))
    for heads in ([[0, 0]], [[0, 1]], [[1, 2]], None):
        views(client, "attention", prompt="An owl met", heads=heads)
    assert len(read) == 1
    views(client, "attention", prompt="An owl met an owl", overview=True)
    views(client, "attention", prompt="An owl met", overview=True)
    assert len(read) == 3
    monkeypatch.setattr("cutaway.server.inside.patterns.KEPT_BYTES", 100)
    for _ in range(2):
        views(client, "attention", prompt="A long text", overview=True)
    assert len(read) == 5


@pytest.mark.parametrize("edits", [[], [PATTERN_OFF]], ids=["plain", "changed"])
@pytest.mark.parametrize("path", ["read", "views/text"])
def test_whoever_has_read_a_text_need_not_read_it_for_its_heads(client, edits, path, monkeypatch):
    asked = {"prompt": "The owl met a fox", "edits": edits}
    whole = views(client, "attention", **asked)
    views(client, "attention", prompt="An owl", edits=edits)
    monkeypatch.setattr("cutaway.server.inside.patterns.trace", lambda *asked: pytest.fail("it was read again"))
    assert client.post(f"/inside/{path}", json=asked).status_code == 200
    assert views(client, "attention", **asked) == whole


@pytest.mark.parametrize("edits", [[], [AskedEdit(**PATTERN_OFF)]], ids=["plain", "changed"])
def test_to_be_watched_changes_no_score(gpt, edits):
    changed = with_edits(gpt, edits)
    assert score_through(changed, gpt.ids(TEXT), 3) == changed.score(TEXT, 3)


def test_a_view_says_what_inspect_says(client, gpt):
    [view] = views(client, "text")
    data = json.loads(block(view, "data"))
    scores = gpt.score(TEXT)
    assert view["tokens"] == TOKENIZER.pieces(TOKENIZER.encode(TEXT))
    assert data["bits"][0] is None
    assert data["bits"][1:] == pytest.approx([-score.logprob / np.log(2) for score in scores[1:]], rel=1e-4)


def test_a_changed_network_answers_differently(client):
    off = [{"kind": "scale", "name": f"h.{layer}.z"} for layer in range(2)]
    [plain], [changed] = views(client, "text"), views(client, "text", edits=off)
    assert block(plain, "data") != block(changed, "data")


@pytest.mark.parametrize("edits", [[], [{"kind": "scale", "name": "h.0.z", "heads": [0]}]], ids=["plain", "changed"])
def test_it_writes_on_as_the_plain_loop_does(client, gpt, edits):
    model = gpt.edited(ablate_heads(0, 0)) if edits else gpt
    expected = list(model.stream(TEXT, max_tokens=6, seed=4, temperature=0.9, top_p=1.0, logprobs=3))
    body = {"prompt": TEXT, "max_tokens": 6, "seed": 4, "temperature": 0.9, "logprobs": 3, "edits": edits}
    with client.stream("POST", "/inside/continue", json=body) as answer:
        events = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert events[-1] == "[DONE]"
    steps = [json.loads(event) for event in events[:-1]]
    assert [step["token"] for step in steps] == [step.token for step in expected]
    assert "".join(step["text"] for step in steps) == "".join(step.text for step in expected)
    assert [len(step["top"]) for step in steps] == [3] * len(steps)


@pytest.mark.parametrize("edits", [[], [{"kind": "scale", "name": "h.0.z", "heads": [0]}]], ids=["plain", "changed"])
def test_a_text_is_read_token_by_token(client, gpt, edits):
    model = gpt.edited(ablate_heads(0, 0)) if edits else gpt
    scores = model.score(TEXT, 4)
    found = client.post("/inside/read", json={"prompt": TEXT, "top": 4, "edits": edits}).json()
    assert [token["token"] for token in found["tokens"]] == [score.token for score in scores]
    assert found["tokens"][0]["logprob"] is None
    assert found["tokens"][0]["top"] == []
    assert [token["logprob"] for token in found["tokens"][1:]] == pytest.approx(
        [score.logprob for score in scores[1:]], abs=1e-6
    )
    after = [*(token["top"] for token in found["tokens"][1:]), found["next"]]
    for top, score in zip(after, scores, strict=True):
        assert [(token, piece) for token, piece, _ in top] == [(one.token, one.piece) for one in score.predictions]
        assert np.exp([logprob for *_, logprob in top]) == pytest.approx([one.probability for one in score.predictions])


def test_an_attribution_can_be_asked_for_by_a_tokens_number(client, gpt):
    token = gpt.ids(TEXT)[2]
    by_number = views(client, "attribution", target=token, position=1)
    assert by_number == views(client, "attribution", target=TOKENIZER.piece(token), position=1)


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("views/nonsense", {"prompt": TEXT}, 404, "there is no question"),
        ("views/lens", {"prompt": "y" * 40}, 400, "40 tokens do not fit a context of 32"),
        ("views/lens", {"prompt": TEXT, "edits": [{"kind": "scale", "name": "h.9.z"}]}, 400, "h.9.z"),
        ("views/lens", {"prompt": TEXT, "edits": [{"kind": "patch", "name": "h.0.z"}]}, 400, "another text"),
        ("views/lens", {"prompt": TEXT, "edits": [{"kind": "scale", "name": "h.0.z", "heads": [7]}]}, 400, "no head 7"),
        ("views/attribution", {"prompt": TEXT, "target": "zebra"}, 400, "zebra"),
        (
            "views/attention",
            {"prompt": TEXT, "heads": [[0, 3]]},
            400,
            "there is no head 3 in layer 0; layers are",
        ),
        ("views/attention", {"prompt": TEXT, "heads": [[0]]}, 400, "heads=[0] is not valid"),
        ("views/attribution", {"prompt": TEXT, "position": 99}, 400, "no position 99"),
        ("trace", {"prompt": TEXT, "names": ["h.0.nonsense"]}, 400, "nonsense"),
        ("trace", {"prompt": TEXT, "nmes": []}, 400, "did you mean 'names'"),
        (
            "views/text",
            {"prompt": TEXT, "edits": [{"kind": "steer", "name": "h.0.z", "text": "x"}]},
            400,
            "the stream enters",
        ),
    ],
)
def test_mistakes_are_told(client, path, body, status, message):
    answer = client.post(f"/inside/{path}", json=body)
    assert answer.status_code == status
    assert message in refusal(answer)["message"]


def test_a_trace_too_large_is_refused(client, monkeypatch):
    monkeypatch.setattr("cutaway.server.inside.routes.MAX_TRACE_BYTES", 1000)
    answer = client.post("/inside/trace", json={"prompt": TEXT})
    assert answer.status_code == 413
    assert "name fewer" in refusal(answer)["message"]


def test_a_mistake_on_the_way_is_an_event(client):
    body = {"prompt": TEXT, "edits": [{"kind": "scale", "name": "h.9.z"}]}
    with client.stream("POST", "/inside/continue", json=body) as answer:
        [event] = [json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line]
    assert "h.9.z" in event["error"]["message"]


def test_the_model_is_described(client, gpt):
    found = client.get("/inside/model").json()
    assert found["config"]["n_layer"] == gpt.config.n_layer
    assert "attention" in found["questions"]
