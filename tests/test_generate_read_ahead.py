"""With speculation and without, every text is the same: tokens, log-probabilities, ends and all."""

import itertools
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.errors import GenerationError
from cutaway.generate import Speculation, Tally, generate, stream
from cutaway.generate.lookup import Lookup
from cutaway.generate.pace import Pace
from cutaway.generate.read_ahead import ReadAhead
from cutaway.generate.reading import reader_of
from cutaway.generate.sample import Sample
from cutaway.sampling import SamplingParams
from cutaway.window import PAST_CONTEXT
from native_models import native_model, needs_kernels
from tiny import EOT, TOKENIZER, prompt_of, tiny_model

PLAIN = tiny_model(1, block_size=24, eot=EOT)
OTHER = tiny_model(2, block_size=16, n_layer=1, eot=EOT)
PRECISIONS = ("float32", "bfloat16", "int8", "int4", "w8a8")


def tokens(prompts, params, speculation=None):
    return [
        [sample.tokens for sample in made.samples] for made in generate(PLAIN, TOKENIZER, prompts, params, speculation)
    ]


PROMPTS = st.lists(
    st.lists(st.sampled_from([5, 6, 7, 70]), min_size=1, max_size=40), min_size=1, max_size=3
)  # so few tokens that much is repeated


@st.composite
def parameters(draw):
    """Anything that a text may depend on."""
    return SamplingParams(
        temperature=draw(st.sampled_from([0, 0.4, 1.0])),
        top_k=draw(st.sampled_from([0, 3])),
        top_p=draw(st.sampled_from([1.0, 0.8])),
        repetition_penalty=draw(st.sampled_from([1.0, 1.2])),
        frequency_penalty=draw(st.sampled_from([0.0, 0.3])),
        no_repeat_ngram_size=draw(st.sampled_from([0, 4])),
        logit_bias=draw(st.sampled_from([{}, {5: 8.0, 6: 7.0}])),
        stop=draw(st.sampled_from([(), ("e",), ("th", "!!")])),
        ignore_eot=draw(st.booleans()),
        max_tokens=draw(st.integers(1, 40)),
        past_context=draw(st.sampled_from(PAST_CONTEXT)),
        seed=draw(st.integers(0, 2**64 - 1)),
        n=draw(st.integers(1, 3)),
        logprobs=draw(st.sampled_from([0, 2])),
    )


@st.composite
def speculations(draw):
    """Any way of guessing, from eager to careful, but for the draft."""
    return {
        "most": draw(st.integers(1, 6)),
        "longest_match": draw(st.integers(1, 3)),
        "adaptive": draw(st.booleans()),
    }


@pytest.fixture(scope="module")
def natives():
    """The model in native hands, at each precision."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(native_model(PLAIN, precision=name, threads=1)) for name in PRECISIONS}


@needs_kernels
@pytest.mark.parametrize("precision", ["float32", "int8"])
@given(PROMPTS, parameters(), speculations(), st.sampled_from([None, "int4", "other"]))
@settings(max_examples=40)
def test_native_texts_are_the_same_to_the_bit(natives, precision, prompts, params, options, draft):
    model, drafts = natives[precision], {**natives, "other": OTHER, None: None}
    speculation = Speculation(draft=drafts[draft], **options)
    expected = generate(model, TOKENIZER, prompts, params)
    assert generate(model, TOKENIZER, prompts, params, speculation) == expected


@given(PROMPTS, parameters(), speculations(), st.sampled_from([None, OTHER]))
@settings(max_examples=25)
def test_pytorchs_texts_are_the_same(prompts, params, options, draft):
    speculation = Speculation(draft=draft, **options)
    expected = list(stream(PLAIN, TOKENIZER, prompts, params))
    got = list(stream(PLAIN, TOKENIZER, prompts, params, speculation))
    for one, other in zip(got, expected, strict=True):
        assert (one.prompt, one.sample, one.token, one.text) == (other.prompt, other.sample, other.token, other.text)
        assert one.finish_reason == other.finish_reason
        assert one.logprob == pytest.approx(other.logprob, abs=1e-9)
        assert list(one.top_logprobs) == list(other.top_logprobs)


REPETITIVE = SamplingParams(temperature=0, logit_bias={5: 900.0}, max_tokens=40, ignore_eot=True)


def test_a_text_that_repeats_itself_takes_fewer_readings(monkeypatch):
    shapes, hidden = [], PLAIN.hidden
    monkeypatch.setattr(PLAIN, "hidden", lambda idx, **options: shapes.append(idx.shape) or hidden(idx, **options))
    speculation = Speculation(most=4, adaptive=False)
    made = generate(PLAIN, TOKENIZER, [[1, 2, 3]], REPETITIVE.replace(max_tokens=18), speculation)[0].samples[0]
    assert made.tokens == (5,) * 18
    # The first 5 has nothing before it; from the second on, four more are read with each that was not read already.
    assert shapes == [(1, 3), (1, 1), (1, 5), (1, 5), (1, 5), (1, 1)]
    assert speculation.tally == Tally(guessed=12, right=12)


def test_a_draft_that_is_the_model_itself_is_always_right():
    for params in (REPETITIVE.replace(logit_bias={}), SamplingParams(seed=3, temperature=1, max_tokens=40)):
        speculation = Speculation(draft=PLAIN, most=3, adaptive=False)
        prompts, params = [prompt_of(4), prompt_of(30, 1)], params.replace(n=2, ignore_eot=True)
        assert tokens(prompts, params, speculation) == tokens(prompts, params)
        assert speculation.tally.right == speculation.tally.guessed > 100


def test_a_draft_past_its_own_context_goes_on_guessing():
    small = tiny_model(1, block_size=5)
    speculation = Speculation(draft=small, most=3, adaptive=False)
    params = REPETITIVE.replace(max_tokens=60)
    assert generate(PLAIN, TOKENIZER, [prompt_of(9)], params, speculation)[0].samples[0].tokens == (5,) * 60
    assert speculation.tally.right == speculation.tally.guessed > 30


def test_a_draft_of_too_small_a_vocabulary_is_refused():
    draft = tiny_model(vocab_size=100)
    sentence = "a draft with a vocabulary of 100 cannot guess among 272 tokens; take a model with the same tokenizer"
    with pytest.raises(GenerationError, match=sentence):
        generate(PLAIN, TOKENIZER, [[1]], REPETITIVE, Speculation(draft=draft))


def test_a_finished_sample_takes_its_guesses_with_it():
    speculation = Speculation(most=4, adaptive=False)
    params = SamplingParams(temperature=1, seed=5, n=6, max_tokens=60, logit_bias={5: 6.0, 6: 6.0})
    prompts = [[5, 6, 5, 6], [6]]
    assert tokens(prompts, params, speculation) == tokens(prompts, params)
    assert speculation.tally.right


@pytest.mark.parametrize(("token_s", "pays"), [(0.0, True), (50.0, False)])
def test_guesses_are_given_up_where_reading_them_is_dear(token_s, pays):
    params, now = REPETITIVE.replace(max_tokens=200), [0.0]
    sample, reader = Sample([5, 5, 5], params, TOKENIZER, seed=0), reader_of(PLAIN, params)
    logits, extend = reader.prefill([[5, 5, 5]]), reader.extend
    sizes = []

    def measured(rows, tokens):
        sizes.append(sum(map(len, tokens)))
        now[0] += 1.0 + token_s * sizes[-1]
        return extend(rows, tokens)

    reader.extend = measured
    ahead = ReadAhead(reader, [sample], Lookup(3), Pace(4), Tally(), clock=lambda: now[0])
    while sample.step(logits[0]).finish_reason is None:
        logits = ahead.decode(sample.generated[-1:])
    assert sample.generated == [5] * 200
    if pays:
        assert len(sizes) < 60
    else:
        assert len(sizes) > 180
        assert sizes[20:100] == [1] * 80


def test_logits_are_those_of_the_tokens_that_were_said_not_of_the_guess():
    params = REPETITIVE
    sample, plain = Sample([5, 6, 5, 6], params, TOKENIZER, seed=0), reader_of(PLAIN, params)
    reader = reader_of(PLAIN, params)
    reader.prefill([[5, 6, 5, 6]])
    plain.prefill([[5, 6, 5, 6]])
    ahead = ReadAhead(reader, [sample], Lookup(2), Pace(3, adaptive=False), Tally())
    for token in itertools.chain([5, 6, 5, 9, 5, 6, 5, 6, 6, 6, 6, 6], range(20, 40)):
        sample.generated.append(token)
        np.testing.assert_allclose(ahead.decode([token]), plain.decode([token]), rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [({"most": 0}, "most=0 must be an integer from 1 to 64"), ({"longest_match": 65}, "longest_match=65 must be")],
)
def test_impossible_speculation_is_refused(values, sentence):
    with pytest.raises(GenerationError, match=sentence):
        Speculation(**values)
