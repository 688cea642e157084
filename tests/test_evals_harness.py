"""The door to lm-evaluation-harness. Most of it runs only where that is installed: pip install 'cutaway[harness]'."""

import importlib.util
import math

import pytest

from command_line import tiny
from cutaway.errors import EvaluationError, MissingExtraError
from cutaway.evals.pairs import encode_pair
from cutaway.evals.passage import continuation
from cutaway.generate import generate
from cutaway.model import GPT
from cutaway.sampling import SamplingParams
from cutaway.weights import load_model, load_tokenizer
from test_evals_perplexity import brute_force
from test_evals_scorers import slowly

INSTALLED = importlib.util.find_spec("lm_eval") is not None
needs_harness = pytest.mark.skipif(not INSTALLED, reason="lm-evaluation-harness is not installed")
TEXT = "once upon a time there was a cat that sat on the mat. the cat sat."


@pytest.mark.skipif(INSTALLED, reason="lm-evaluation-harness is installed")
def test_without_the_harness_the_error_says_how_to_get_it():
    with pytest.raises(MissingExtraError, match=r"pip install 'cutaway\[harness\]'"):
        import cutaway.evals.harness  # noqa: F401


@pytest.fixture(scope="module")
def lm():
    from cutaway.evals.harness import CutawayLM

    return CutawayLM(tiny())


@pytest.fixture(scope="module")
def model() -> GPT:
    return load_model(tiny(), dtype="float64")


def request(kind, *arguments):
    from lm_eval.api.instance import Instance

    return Instance(request_type=kind, doc={}, arguments=arguments, idx=0)


@needs_harness
def test_it_is_registered_by_name(lm):
    from lm_eval.api.registry import get_model

    assert get_model("cutaway") is type(lm)


@needs_harness
def test_continuations_score_what_the_plain_network_gives(lm, model):
    pairs = [
        ("the cat", " sat on the mat"),
        ("the cat", " once"),
        ("", "the cat"),
        ("the cat ", "sat"),
        (TEXT, " upon"),
    ]
    found = lm.loglikelihood([request("loglikelihood", *pair) for pair in pairs])
    tokenizer = load_tokenizer(tiny())
    for pair, (total, greedy) in zip(pairs, found, strict=True):
        passage = continuation(*encode_pair(tokenizer, *pair), model.config.block_size)
        logprobs, likeliest = slowly(model, passage)
        assert total == pytest.approx(logprobs.sum(), abs=1e-4)
        assert greedy == likeliest


@needs_harness
def test_rolling_scores_every_token_after_the_start(lm, model):
    tokenizer, context = load_tokenizer(tiny()), model.config.block_size
    text = f"{TEXT} {TEXT} {TEXT}"
    ids = [tokenizer.eot, *tokenizer.encode(text)]
    assert len(ids) > 2 * context
    found = lm.loglikelihood_rolling([request("loglikelihood_rolling", text), request("loglikelihood_rolling", "a")])
    assert found[0] == pytest.approx(-sum(brute_force(model, ids, context, context)), abs=1e-3)
    assert found[1] == pytest.approx(
        -brute_force(model, ids[:1] + tokenizer.encode("a"), context, context)[0], abs=1e-4
    )


@needs_harness
def test_generation_stops_where_the_task_says(lm, model):
    tokenizer = load_tokenizer(tiny())
    settings = {"until": ["\n\n"], "max_gen_toks": 6, "do_sample": False}
    (text,) = lm.generate_until([request("generate_until", "the cat", settings)])
    params = SamplingParams(max_tokens=6, temperature=0)
    assert text == generate(load_model(tiny()), tokenizer, [tokenizer.encode("the cat")], params)[0].samples[0].text
    stop = text[len(text) // 2]
    (cut,) = lm.generate_until([request("generate_until", "the cat", {**settings, "until": stop})])
    assert cut == text[: text.index(stop)]


@needs_harness
def test_generation_by_unknown_means_is_refused(lm):
    with pytest.raises(EvaluationError, match="generation by num_beams is not known here"):
        lm.generate_until([request("generate_until", "a", {"num_beams": 4})])


@needs_harness
def test_the_harness_and_our_evaluator_agree_with_its_model_for_transformers(tmp_path, lm):
    huggingface = pytest.importorskip("lm_eval.models.huggingface", reason="its own model takes transformers")
    theirs = huggingface.HFLM(pretrained=tiny(), device="cpu", dtype="float32", batch_size=1)
    requests = [request("loglikelihood", "the cat", f" {word} on") for word in ("sat", "mat", "once upon")]
    for (ours, greedy), (value, likeliest) in zip(
        lm.loglikelihood(requests), theirs.loglikelihood(requests, True), strict=True
    ):
        assert ours == pytest.approx(value, abs=1e-4)
        assert greedy == likeliest
    rolling = [request("loglikelihood_rolling", f"{TEXT} {TEXT} {TEXT}")]
    assert lm.loglikelihood_rolling(rolling)[0] == pytest.approx(
        theirs.loglikelihood_rolling(rolling, True)[0], abs=1e-3
    )
    assert math.isfinite(lm.loglikelihood_rolling(rolling)[0])
