"""`/v1/completions` as its clients see it, held to the plain loop."""

import asyncio

import openai
import pytest

from cutaway.generate import generate, score
from cutaway.sampling import SamplingParams
from serving import NAME, ask, ask_stream
from tiny import EOT, TOKENIZER

PROMPT = "Once upon a time"


def plainly(model, prompt, **params):
    """What the plain loop writes."""
    ids = model.generator.ids(prompt)
    defaults = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 16}
    return generate(model.generator.model, TOKENIZER, [ids], SamplingParams(**(defaults | params)))[0]


def test_it_writes_what_the_plain_loop_writes(client, model):
    answer = ask(client, prompt=PROMPT, seed=5, max_tokens=12)
    expected = plainly(model, PROMPT, seed=5, max_tokens=12)
    [choice] = answer["choices"]
    assert choice == {
        "text": expected.text,
        "index": 0,
        "logprobs": None,
        "finish_reason": expected.samples[0].finish_reason,
    }
    read, written = len(expected.prompt_tokens), len(expected.samples[0].tokens)
    assert answer["usage"] == {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
    }
    assert answer["object"] == "text_completion"
    assert answer["model"] == NAME


@pytest.mark.parametrize(
    "params",
    [
        {"temperature": 0},
        {"temperature": 0.7, "top_p": 0.8},
        {"top_k": 3},
        {"min_p": 0.2},
        {"repetition_penalty": 1.5},
        {"presence_penalty": 1.5, "frequency_penalty": -0.5},
        {"stop": ["e", "o"]},
        {"stop": "the"},
    ],
    ids=str,
)
def test_parameters_mean_what_they_mean_to_the_plain_loop(client, model, params):
    plain = dict(params)
    if "stop" in plain:
        plain["stop"] = (plain["stop"],) if isinstance(plain["stop"], str) else tuple(plain["stop"])
    expected = plainly(model, PROMPT, seed=1, **plain)
    [choice] = ask(client, prompt=PROMPT, seed=1, **params)["choices"]
    assert (choice["text"], choice["finish_reason"]) == (expected.text, expected.samples[0].finish_reason)


def test_bias_and_special_tokens(client, model):
    letter = TOKENIZER.encode("z")[0]
    assert ask(client, prompt="a", max_tokens=3, logit_bias={str(letter): 100})["choices"][0]["text"] == "zzz"
    ended = ask(client, prompt="a", max_tokens=9, logit_bias={str(EOT): 100}, logprobs=0)
    assert ended["choices"][0]["text"] == ""
    assert ended["choices"][0]["finish_reason"] == "stop"
    assert ended["choices"][0]["logprobs"]["tokens"] == ["<|endoftext|>"]
    assert ended["usage"]["completion_tokens"] == 1
    ignored = ask(client, prompt="a", max_tokens=2, logit_bias={str(EOT): 100}, ignore_eos=True)
    assert ignored["choices"][0]["text"] == "<|endoftext|>" * 2
    stopped = ask(client, prompt="a", max_tokens=9, logit_bias={str(letter): 100}, stop_token_ids=[letter])
    assert stopped["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("The fox", ["The fox"]),
        (["The fox", "An owl"], ["The fox", "An owl"]),
        (TOKENIZER.encode("The fox"), ["The fox"]),
        ([TOKENIZER.encode("The fox"), TOKENIZER.encode("An owl")], ["The fox", "An owl"]),
        (None, [""]),
        ("", [""]),
    ],
    ids=["a text", "texts", "ids", "lists of ids", "null", "an empty text"],
)
def test_a_prompt_may_be_texts_or_ids(client, model, prompt, texts):
    answer = ask(client, prompt=prompt, seed=2, max_tokens=5, n=2)
    expected = [sample.text for text in texts for sample in plainly(model, text, seed=2, max_tokens=5, n=2).samples]
    assert [choice["text"] for choice in answer["choices"]] == expected
    assert [choice["index"] for choice in answer["choices"]] == list(range(len(expected)))


def test_best_of_returns_the_likeliest_a_token(client, model):
    samples = plainly(model, PROMPT, seed=4, n=6, max_tokens=8).samples
    best = sorted(samples, key=lambda sample: -sample.logprob / len(sample.tokens))[:2]
    answer = ask(client, prompt=PROMPT, seed=4, n=2, best_of=6, max_tokens=8)
    assert [choice["text"] for choice in answer["choices"]] == [sample.text for sample in best]
    assert answer["usage"]["completion_tokens"] == sum(len(sample.tokens) for sample in samples)


def test_echo_scores_the_prompt_as_score_does(client, model):
    [choice] = ask(client, prompt=PROMPT, max_tokens=0, echo=True, logprobs=3)["choices"]
    assert choice["text"] == PROMPT
    assert choice["finish_reason"] == "length"
    logprobs = choice["logprobs"]
    expected = score(model.generator.model, TOKENIZER, model.generator.ids(PROMPT), 3)
    assert logprobs["tokens"] == [TOKENIZER.decode([token]) for token in model.generator.ids(PROMPT)]
    assert logprobs["token_logprobs"][0] is None
    assert logprobs["top_logprobs"][0] is None
    assert logprobs["token_logprobs"][1:] == pytest.approx([each.logprob for each in expected[1:]], abs=1e-9)


def test_echo_comes_before_what_is_written(client, model):
    [choice] = ask(client, prompt=PROMPT, max_tokens=4, echo=True, seed=3)["choices"]
    assert choice["text"] == PROMPT + plainly(model, PROMPT, max_tokens=4, seed=3).text


def test_logprobs_lie_where_their_tokens_are_and_agree_to_the_bit(client):
    for choice in ask(client, prompt=PROMPT, max_tokens=20, n=3, seed=6, echo=True, logprobs=2)["choices"]:
        logprobs = choice["logprobs"]
        assert len({len(values) for values in logprobs.values()}) == 1
        for token, number, top, offset in zip(*logprobs.values(), strict=True):
            shown = choice["text"][offset : offset + len(token)]
            if "\ufffd" not in shown and not token.startswith("bytes:") and token != "<|endoftext|>":
                assert shown == token
            if top is not None:
                assert top[token] == number
                assert 2 <= len(top) <= 3


def test_what_belongs_to_a_stop_text_has_no_logprobs(client, model):
    whole = plainly(model, PROMPT, seed=8, max_tokens=14, ignore_eot=True)
    stop = whole.text[4:7]
    [choice] = ask(client, prompt=PROMPT, seed=8, max_tokens=14, stop=stop, ignore_eos=True, logprobs=0)["choices"]
    assert choice["text"] == whole.text[: whole.text.index(stop)]
    assert all(offset < len(choice["text"]) for offset in choice["logprobs"]["text_offset"])


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": PROMPT, "n": 3, "max_tokens": 14},
        {"prompt": [PROMPT, "An owl"], "n": 2, "logprobs": 2, "max_tokens": 9},
        {"prompt": PROMPT, "echo": True, "max_tokens": 6},
        {"prompt": PROMPT, "echo": True, "logprobs": 1, "max_tokens": 6, "n": 2},
        {"prompt": PROMPT, "echo": True, "logprobs": 1, "max_tokens": 0},
        {"prompt": PROMPT, "stop": ["e"], "logprobs": 0, "n": 4},
    ],
    ids=str,
)
def test_a_stream_adds_up_to_the_whole(client, body):
    whole = ask(client, seed=9, **body)
    chunks = ask_stream(client, seed=9, stream_options={"include_usage": True}, **body)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole["usage"]
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    joined: dict = {}
    for chunk in chunks[:-1]:
        [choice] = chunk["choices"]
        first = {"text": "", "logprobs": None, "finish_reason": None}
        sofar = joined.setdefault(choice["index"], first | {"index": choice["index"]})
        assert sofar["finish_reason"] is None, "something came after the end"
        sofar["text"] += choice["text"]
        sofar["finish_reason"] = choice["finish_reason"]
        for name, values in (choice["logprobs"] or {}).items():
            sofar["logprobs"] = sofar["logprobs"] or {name: [] for name in choice["logprobs"]}
            sofar["logprobs"][name] += values
    # PyTorch's float64 rounds differently in batches of different sizes, in the last place.
    assert rounded([joined[index] for index in sorted(joined)]) == rounded(whole["choices"])


def rounded(value):
    """The same with all floats to nine places."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return round(value, 9) if isinstance(value, float) else value


def test_a_seed_gives_the_same_text_whatever_else_is_running(client):
    alone = [ask(client, prompt=PROMPT, seed=seed)["choices"] for seed in range(4)]

    async def together():
        async with openai.AsyncOpenAI(base_url=f"{client.base_url}/v1", api_key="none") as api:
            asked = [
                api.completions.create(model=NAME, prompt=PROMPT if i < 4 else "x" * i, seed=i, max_tokens=16)
                for i in range(12)
            ]
            return await asyncio.gather(*asked)

    texts = [answer.choices[0].text for answer in asyncio.run(together())]
    assert texts[:4] == [choices[0]["text"] for choices in alone]


def test_openai_s_client_reads_answers_and_streams(client):
    with openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="none") as api:
        assert [model.id for model in api.models.list()] == [NAME]
        whole = api.completions.create(model=NAME, prompt=PROMPT, seed=1, logprobs=2, max_tokens=8)
        stream = api.completions.create(model=NAME, prompt=PROMPT, seed=1, max_tokens=8, stream=True)
        assert "".join(chunk.choices[0].text for chunk in stream) == whole.choices[0].text
        with pytest.raises(openai.BadRequestError, match="shorten one of them"):
            api.completions.create(model=NAME, prompt=PROMPT, max_tokens=999)
        with pytest.raises(openai.NotFoundError, match="there is no model 'gpt-9'"):
            api.completions.create(model="gpt-9", prompt=PROMPT)
