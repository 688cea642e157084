"""What well-known clients send, word for word, so that none of them has to be installed here."""

import json

import pytest

from cutaway.generate import score
from serving import NAME, ask, refusal
from tiny import EOT, TOKENIZER

PROMPT = "Once upon a time"


def test_lm_evaluation_harness_gets_the_log_likelihoods_that_score_gives(client, model):
    """It sends several contexts with their continuations as ids, asks for a token that it ignores, and adds up."""
    pairs = [("Once upon", " a time"), ("The fox", " s"), ("An", " owl said")]
    contexts = [TOKENIZER.encode(context) for context, _ in pairs]
    prompts = [context + TOKENIZER.encode(text) for context, (_, text) in zip(contexts, pairs, strict=True)]
    shape = {"temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": True}
    choices = ask(client, model=NAME, prompt=prompts, **shape)["choices"]
    for choice, context, prompt in zip(choices, contexts, prompts, strict=True):
        expected = score(model.generator.model, TOKENIZER, prompt, 1)[len(context) :]
        here = slice(len(context), -1)
        logprobs, tops = choice["logprobs"]["token_logprobs"][here], choice["logprobs"]["top_logprobs"][here]
        assert sum(logprobs) == pytest.approx(sum(token.logprob for token in expected), abs=1e-9)
        # It calls a continuation greedy where each log-probability equals the largest, to the bit.
        greedy = [logprob == max(top.values()) for logprob, top in zip(logprobs, tops, strict=True)]
        assert greedy == [token.rank == 1 for token in expected]


def test_lm_evaluation_harness_may_leave_the_tokens_to_the_server(client):
    """Its remote tokenizer looks for the special token, and finds its id by encoding its text."""
    end = client.get("/tokenizer_info").json()["eos_token"]
    found = client.post("/tokenize", json={"prompt": end, "add_special_tokens": False}).json()
    assert found["tokens"] == [EOT]
    assert client.post("/detokenize", json={"tokens": [EOT]}).json() == {"prompt": end}


def test_a_special_token_is_text_unless_somebody_says_otherwise(client):
    text = TOKENIZER.decode([EOT])
    for asked, special in [
        ({}, False),
        ({"special": True}, True),
        ({"special": False, "add_special_tokens": 1 > 0}, 0),
    ]:
        tokens = client.post("/tokenize", json={"prompt": text} | asked).json()["tokens"]
        assert (tokens == [EOT]) == special
        assert TOKENIZER.decode(tokens) == text


def test_langchain_s_parameters_are_all_known(client):
    body = {
        "model": NAME,
        "prompt": [PROMPT, "The fox"],
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "temperature": 0.7,
        "top_p": 0.9,
        "max_tokens": 5,
        "n": 2,
        "best_of": 3,
        "seed": 1,
        "logprobs": 2,
        "logit_bias": {"5": -100},
        "stop": ["."],
        "user": "somebody",
    }
    answer = ask(client, **body)
    assert len(answer["choices"]) == 4
    assert answer["usage"].keys() == {"prompt_tokens", "completion_tokens", "total_tokens"}


def test_a_body_not_marked_as_json_is_told_so(client):
    """curl marks it as a form unless told; and a page of another site can send a form, but not JSON."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = client.post("/v1/completions", content=json.dumps({"prompt": "x"}).encode(), headers=form)
    assert answer.status_code == 415
    assert "Content-Type: application/json" in refusal(answer)["message"]
