import dataclasses
import json
import math
import re

import pytest

import cutaway
from command_line import mistake, run, tiny
from cutaway.cli.decoding_options import SamplingOptions, SearchOptions, parse_biases, unescape
from cutaway.cli.generate import prepare
from cutaway.cli.options import ModelOptions
from cutaway.errors import ConfigError
from cutaway.sampling import BeamParams, ContrastiveParams, SamplingParams
from cutaway.weights import DEFAULT_MODEL

PYTHON_NAMES = {"ban": "banned_tokens", "stop_token": "stop_tokens"}


def generate(*arguments, stdin=None):
    result = run("generate", *arguments, "--model", tiny(), stdin=stdin)
    assert (result.code, result.err) == (0, ""), result
    return result.out


def generate_json(*arguments):
    return json.loads(generate(*arguments, "--json"))


@pytest.fixture(scope="module")
def gpt():
    return cutaway.load(tiny(), device="cpu")


def test_it_shows_the_prompt_and_the_continuation(gpt):
    expected = gpt.generate("once upon", temperature=0, max_tokens=8).text
    assert generate("once upon", "--temperature", 0, "--max-tokens", 8) == f"once upon{expected}\n"


def test_streaming_shows_the_text_that_json_holds():
    options = ["once", "--seed", 3, "--max-tokens", 40, "--ignore-eot"]
    assert generate(*options) == f"once{generate_json(*options)['samples'][0]['text']}\n"


def test_json_holds_prompt_tokens_seed_and_samples(gpt):
    found = generate_json("once upon", "--n", 2, "--seed", 5, "--max-tokens", 6, "--ignore-eot")
    assert found.keys() == {"prompt", "prompt_tokens", "seed", "samples"}
    assert found["prompt"] == "once upon"
    assert found["prompt_tokens"] == gpt.ids("once upon")
    assert found["seed"] == 5
    assert len(found["samples"]) == 2
    for sample in found["samples"]:
        assert sample.keys() == {"text", "tokens", "logprobs", "finish_reason"}
        assert len(sample["tokens"]) == len(sample["logprobs"]) == 6
        assert sample["finish_reason"] == "length"
        assert all(logprob < 0 and math.isfinite(logprob) for logprob in sample["logprobs"])


def test_a_seed_reproduces_the_text_and_another_changes_it():
    first, again, other = (generate("once", "--seed", seed, "--max-tokens", 20) for seed in (1, 1, 2))
    assert first == again != other


def test_the_seed_that_json_reports_reproduces_the_text():
    found = generate_json("once", "--max-tokens", 10)
    assert generate_json("once", "--max-tokens", 10, "--seed", found["seed"]) == found


def test_several_samples_have_a_heading_each():
    shown = generate("once", "--n", 2, "--seed", 0, "--max-tokens", 4)
    texts = [sample["text"] for sample in generate_json("once", "--n", 2, "--seed", 0, "--max-tokens", 4)["samples"]]
    assert shown == f"--- 1 of 2 ---\nonce{texts[0]}\n--- 2 of 2 ---\nonce{texts[1]}\n"


def test_logprobs_are_shown_as_a_table():
    lines = generate("once", "--temperature", 0, "--max-tokens", 3, "--logprobs", 2).splitlines()
    heading = next(i for i, line in enumerate(lines) if line.split() == ["token", "logprob", "likeliest"])
    assert len(lines[heading + 1 :]) == 3


def test_logprobs_are_in_json():
    sample = generate_json("once", "--max-tokens", 3, "--logprobs", 2, "--seed", 1)["samples"][0]
    assert [len(step) for step in sample["top_logprobs"]] >= [2, 2, 2]


def test_beams_are_searched(gpt):
    found = generate_json("once", "--beams", 4, "--n", 2, "--max-tokens", 5, "--early-stopping", "yes")
    expected = gpt.beam_search("once", BeamParams(beams=4, early_stopping=True), n=2, max_tokens=5)
    assert [sample["tokens"] for sample in found["samples"]] == [list(sample.tokens) for sample in expected.samples]
    assert found["seed"] is None


def test_diverse_beams_are_searched(gpt):
    found = generate_json("once", "--beams", 4, "--beam-groups", 2, "--diversity-penalty", 1.5, "--max-tokens", 5)
    search = BeamParams(beams=4, groups=2, diversity_penalty=1.5)
    assert found["samples"][0]["tokens"] == list(gpt.beam_search("once", search, max_tokens=5).samples[0].tokens)


def test_contrastive_search_takes_top_k_for_its_candidates(gpt):
    found = generate_json("once", "--contrastive-alpha", 0.6, "--top-k", 3, "--max-tokens", 5)
    expected = gpt.contrastive_search("once", ContrastiveParams(alpha=0.6, top_k=3), max_tokens=5)
    assert found["samples"][0]["tokens"] == list(expected.samples[0].tokens)


def test_a_stop_text_ends_the_sample():
    whole = generate_json("once", "--temperature", 0, "--max-tokens", 30)["samples"][0]["text"]
    stop = whole[3]
    sample = generate_json("once", "--temperature", 0, "--max-tokens", 30, "--stop", stop)["samples"][0]
    assert sample["text"] == whole[: whole.index(stop)]
    assert sample["finish_reason"] == "stop"


def test_a_bias_makes_a_token_certain_and_a_ban_impossible():
    biased = generate_json("once", "--logit-bias", "65=900", "--max-tokens", 3)["samples"][0]["tokens"]
    assert biased == [65, 65, 65]
    banned = generate_json("once", "--logit-bias", "65=900", "--ban", 65, "--max-tokens", 3)["samples"][0]["tokens"]
    assert 65 not in banned


def test_a_stop_token_ends_the_sample():
    sample = generate_json("once", "--logit-bias", "65=900", "--stop-token", 65)["samples"][0]
    assert (sample["tokens"], sample["text"], sample["finish_reason"]) == ([65], "", "stop")


def test_endoftext_in_the_prompt_is_ordinary_unless_asked(gpt):
    ordinary = generate_json("<|endoftext|>a", "--max-tokens", 1)["prompt_tokens"]
    special = generate_json("<|endoftext|>a", "--max-tokens", 1, "--special")["prompt_tokens"]
    assert gpt.tokenizer.eot not in ordinary
    assert special[0] == gpt.tokenizer.eot


def test_an_empty_prompt_starts_a_document(gpt):
    assert generate_json("", "--max-tokens", 1)["prompt_tokens"] == [gpt.tokenizer.eot]


def test_the_prompt_can_come_from_a_file_without_its_last_line_end(tmp_path):
    file = tmp_path / "prompt.txt"
    file.write_bytes(b"once\r\n")
    assert generate_json("--file", file, "--max-tokens", 1)["prompt"] == "once"


def test_the_prompt_can_come_from_a_pipe():
    assert generate("--temperature", 0, "--max-tokens", 4, stdin=b"once\n") == generate(
        "once", "--temperature", 0, "--max-tokens", 4
    )


def test_verbose_says_on_stderr_how_fast_it_was():
    result = run("generate", "once", "--model", tiny(), "--max-tokens", 5, "--seed", 7, "--ignore-eot", "--verbose")
    pattern = r"5 tokens in [\d.]+ s \([\d.]+ tokens/s\), first after \d+ ms, seed 7\n"
    assert re.fullmatch(pattern, result.err)
    assert result.out == generate("once", "--max-tokens", 5, "--seed", 7, "--ignore-eot")


@pytest.mark.parametrize(
    ("arguments", "pair"),
    [
        (["--beams", "2", "--temperature", "1"], "--beams and --temperature"),
        (["--beams", "2", "--top-p", "0.5"], "--beams and --top-p"),
        (["--beams", "2", "--seed", "0"], "--beams and --seed"),
        (["--beams", "2", "--contrastive-alpha", "0.5"], "--beams and --contrastive-alpha"),
        (["--contrastive-alpha", "0.5", "--n", "2"], "--contrastive-alpha and --n"),
        (["--contrastive-alpha", "0.5", "--min-p", "0.1"], "--contrastive-alpha and --min-p"),
    ],
)
def test_options_that_exclude_each_other_are_refused(arguments, pair):
    assert mistake("generate", "a", *arguments) == f"{pair} exclude each other; leave one out"


@pytest.mark.parametrize("option", [["--length-penalty", "1"], ["--early-stopping", "no"], ["--beam-groups", "2"]])
def test_details_of_beam_search_need_beams(option):
    sentence = f"{option[0]} belongs to beam search; give --beams too, or leave it out"
    assert mistake("generate", "a", *option) == sentence


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--top-p", "0"], "top_p=0.0 must be a number above 0"),
        (["--temperature", "-1"], "temperature=-1.0"),
        (["--temperature", "nan"], "temperature=nan"),
        (["--max-tokens", "0"], "max_tokens=0"),
        (["--n", "0"], "n=0"),
        (["--top-k=-1"], "top_k=-1"),
        (["--seed=-1"], "seed=-1"),
        (["--stop", ""], "stop='' can never be met"),
        (["--beams", "3", "--beam-groups", "2"], "divide evenly among groups=2"),
        (["--contrastive-alpha", "2"], "alpha=2.0"),
        (["--logit-bias", "5"], "--logit-bias '5' is not of the form ID=VALUE"),
        (["--logit-bias", "5=1", "--logit-bias", "5=2"], "--logit-bias names token 5 twice"),
        (["--file", "no.txt"], "there are two texts"),
        (["--model", "gpt2-smal"], "there is no model 'gpt2-smal'; did you mean"),
        (["--model", "./nowhere"], "./nowhere"),
        (["--device", "abacus", "--model", "TINY"], "abacus"),
        (["--ban", "280", "--model", "TINY"], "token id 280 is out of range; this model's ids go from 0 to 279"),
        (["--stop-token", "280", "--model", "TINY"], "token id 280 is out of range"),
        (["--beams", "2", "--n", "3", "--model", "TINY"], "n=3 results cannot come from beams=2"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(arguments, part):
    # Put in here, not above: the folder's name differs from process to process, and a test's name must not.
    arguments = [tiny() if argument == "TINY" else argument for argument in arguments]
    assert part in mistake("generate", "a", *arguments)


def test_no_prompt_at_all_is_a_mistake():
    assert mistake("generate").startswith("standard input is empty")


def test_a_damaged_model_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    assert str(tmp_path) in mistake("generate", "a", "--model", tmp_path)


def test_the_default_model_is_the_packages():
    assert ModelOptions().model == DEFAULT_MODEL


@pytest.mark.parametrize("options", [SamplingOptions, SearchOptions])
def test_help_states_the_defaults_that_hold(options):
    """The options keep None, so that what was given is known; their help must still tell the truth."""
    sources = {**vars(SamplingParams()), **vars(BeamParams()), "beam_groups": BeamParams().groups}
    help_text = run("generate", "--help").out.replace("│", " ")
    for field in dataclasses.fields(options):
        flag = f"--{field.name.replace('_', '-')} "
        told = re.search(re.escape(flag) + r"(?:(?! --[a-z]).)*?\(default (\w[\w.]*)", help_text, re.DOTALL)
        if told and field.name != "contrastive_alpha":
            word = told[1].rstrip(".")
            value = float(word) if word[0].isdigit() else {"no": False}.get(word, word)
            assert value == sources[field.name], field.name


def test_every_sampling_parameter_is_an_option():
    options = {PYTHON_NAMES.get(field.name, field.name) for field in dataclasses.fields(SamplingOptions)}
    assert options == {field.name for field in dataclasses.fields(SamplingParams)}


def test_nothing_given_means_the_packages_defaults():
    decoding = prepare(SamplingOptions(), SearchOptions())
    assert decoding.params == SamplingParams()
    assert decoding.beams is decoding.contrastive is None


def test_escapes_in_stop_texts():
    assert unescape(r"a\nb\tc\\n\x") == "a\nb\tc\\n\\x"


def test_biases_are_read():
    assert parse_biases(("5=1.5", "6=-100")) == {5: 1.5, 6: -100.0}
    with pytest.raises(ConfigError, match="twice"):
        parse_biases(("5=1", "5=1"))
