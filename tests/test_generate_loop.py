"""The plain loop: what `transformers` writes, whatever else is in the batch, however far past the context."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.errors import GenerationError
from cutaway.generate import generate, stream
from cutaway.sampling import SamplingParams, draw, penalize, truncate, uniforms
from cutaway.window import PAST_CONTEXT
from tiny import EOT, TOKENIZER, prompt_of, tiny_model, twins

GREEDY = SamplingParams(temperature=0, max_tokens=12, ignore_eot=True)
SAMPLED = SamplingParams(
    temperature=1.3, top_p=0.95, top_k=200, repetition_penalty=1.1, max_tokens=16, seed=11, ignore_eot=True
)


def tokens(model, prompts, params):
    return [[list(sample.tokens) for sample in made.samples] for made in generate(model, TOKENIZER, prompts, params)]


SHAPES = [
    {"block_size": 256},
    {"block_size": 211, "n_layer": 1, "n_head": 1, "n_embd": 7},
    {"block_size": 256, "n_layer": 3, "n_head": 5, "n_embd": 20, "vocab_size": 113},
    {"block_size": 203, "n_head": 2, "n_embd": 16, "tie_word_embeddings": False},
]


@pytest.mark.parametrize("seed", range(len(SHAPES)))
def test_200_greedy_tokens_equal_transformers(seed):
    shape = SHAPES[seed]
    model, peer = twins(seed, **shape)
    prompt = prompt_of(3, seed, vocab_size=100)
    with torch.inference_mode():
        expected = peer.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, 3, dtype=torch.long),
            do_sample=False,
            max_new_tokens=200,
            eos_token_id=None,
            pad_token_id=0,
        )
    assert len(expected[0].unique()) > 8, "a model that repeats itself would prove little"
    assert tokens(model, [prompt], GREEDY.replace(max_tokens=200)) == [[expected[0, 3:].tolist()]]


def test_greedy_with_every_penalty_equals_transformers():
    model, peer = twins(5)
    prompt = prompt_of(6)
    with torch.inference_mode():
        expected = peer.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, 6, dtype=torch.long),
            do_sample=False,
            max_new_tokens=25,
            eos_token_id=None,
            pad_token_id=0,
            repetition_penalty=1.3,
            no_repeat_ngram_size=2,
            sequence_bias={(3,): 2.5},
            suppress_tokens=[1, 2],
        )
    params = GREEDY.replace(
        max_tokens=25,
        repetition_penalty=1.3,
        no_repeat_ngram_size=2,
        logit_bias={3: 2.5},
        banned_tokens=(1, 2),
    )
    assert tokens(model, [prompt], params) == [[expected[0, 6:].tolist()]]


def in_window(ids, block_size, past_context):
    """The newest tokens, as many as the rule leaves: at most `block_size`, or what halving a full window leaves."""
    kept = []
    for token in ids:
        kept = [*kept, token]
        if len(kept) > block_size:
            kept = kept[1:] if past_context == "slide" else kept[max(1, block_size // 2) :]
    return kept


def by_hand(model, prompt, params, sample=0):
    """The obvious loop: no cache, no batch, the whole window read afresh for every new token."""
    ids, numbers = list(prompt), uniforms(params.seed or 0, sample)
    for _ in range(params.max_tokens):
        with torch.inference_mode():
            logits = model(torch.tensor([in_window(ids, model.config.block_size, params.past_context)]))[0][0, -1]
        logits = penalize(logits, params, prompt, ids[len(prompt) :])
        ids.append(int(logits.argmax()) if params.greedy else draw(truncate(logits, params), next(numbers)))
    return ids[len(prompt) :]


@pytest.mark.parametrize("past_context", PAST_CONTEXT)
@pytest.mark.parametrize("params", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(
    "lengths",
    [[1], [5], [7], [8], [20], [3, 3], [8, 8], [1, 4, 6], [2, 8, 5], [3, 9, 30], [12, 9]],
    ids=str,
)
def test_batches_of_any_lengths_equal_the_obvious_loop_within_and_past_the_context(
    lengths, dtype, params, past_context
):
    model, params = tiny_model(1, block_size=8, dtype=dtype), params.replace(past_context=past_context)
    prompts = [prompt_of(length, seed) for seed, length in enumerate(lengths)]
    assert tokens(model, prompts, params) == [[by_hand(model, prompt, params)] for prompt in prompts]


@pytest.mark.parametrize(("past_context", "seen"), [("slide", 8), ("half", 5)])
def test_past_the_context_only_the_window_counts(past_context, seen):
    model, ending = tiny_model(2, block_size=8), prompt_of(seen)
    prompts = [prompt_of(13 - seen, 1) + ending, prompt_of(17 - seen, 2) + ending]
    one, other = tokens(model, prompts, GREEDY.replace(past_context=past_context))
    assert one == other


@given(st.integers(1, 30), st.integers(1, 30), st.sampled_from(PAST_CONTEXT))
@settings(max_examples=10)
def test_a_text_goes_on_in_the_same_way_from_anywhere_in_it(length, written, past_context):
    model, prompt = tiny_model(1, block_size=8), prompt_of(length)
    params = GREEDY.replace(max_tokens=written + 5, past_context=past_context)
    whole = tokens(model, [prompt], params)[0][0]
    assert tokens(model, [prompt + whole[:written]], params.replace(max_tokens=5))[0][0] == whole[written:]


@given(st.data())
@settings(max_examples=10)
def test_a_seed_gives_the_same_text_alone_and_in_any_company(data):
    model = tiny_model(3, block_size=16)
    prompt = prompt_of(data.draw(st.integers(1, 18)), 0)
    mates = [prompt_of(length, 1 + i) for i, length in enumerate(data.draw(st.lists(st.integers(1, 18), max_size=3)))]
    place = data.draw(st.integers(0, len(mates)))
    params = SAMPLED.replace(seed=data.draw(st.integers(0, 2**64 - 1)), max_tokens=8, ignore_eot=False)
    alone = tokens(model, [prompt], params)[0]
    batch = [*mates[:place], prompt, *mates[place:]]
    assert tokens(model, batch, params)[place] == alone


def test_the_first_samples_do_not_depend_on_how_many_there_are():
    model = tiny_model(4)
    few, many = (tokens(model, [prompt_of(4)], SAMPLED.replace(n=n))[0] for n in (2, 5))
    assert many[:2] == few
    assert len({tuple(sample) for sample in many}) == 5


def test_each_sample_equals_the_obvious_loop_with_its_own_numbers():
    model = tiny_model(4)
    samples = tokens(model, [prompt_of(4)], SAMPLED.replace(n=3))[0]
    assert samples == [by_hand(model, prompt_of(4), SAMPLED, sample) for sample in range(3)]


def test_runs_repeat_with_the_seed_they_report():
    model, params = tiny_model(6), SAMPLED.replace(seed=None)
    first = generate(model, TOKENIZER, [prompt_of(3)], params)[0]
    again = generate(model, TOKENIZER, [prompt_of(3)], params.replace(seed=first.seed))[0]
    assert again == first
    assert generate(model, TOKENIZER, [prompt_of(3)], params)[0].seed != first.seed


def test_greedy_reports_no_seed():
    assert generate(tiny_model(), TOKENIZER, [prompt_of(3)], GREEDY)[0].seed is None


@pytest.fixture
def reads(monkeypatch):
    """The shapes (B, T) that the model has read."""
    model, shapes = tiny_model(7), []
    original = model.hidden

    def hidden(idx, **options):
        shapes.append(tuple(idx.shape))
        return original(idx, **options)

    monkeypatch.setattr(model, "hidden", hidden)
    return model, shapes


def test_all_samples_of_a_prompt_share_one_prefill(reads):
    model, shapes = reads
    generate(model, TOKENIZER, [prompt_of(9)], SAMPLED.replace(n=5, max_tokens=4))
    assert shapes == [(1, 9), (5, 1), (5, 1), (5, 1)]


def test_unequal_prompts_share_one_prefill_too(reads):
    model, shapes = reads
    generate(model, TOKENIZER, [prompt_of(9), prompt_of(2)], SAMPLED.replace(n=2, max_tokens=3))
    assert shapes == [(2, 9), (4, 1), (4, 1)]


def test_finished_samples_are_not_read_any_more(reads):
    model, shapes = reads
    ends = tokens(model, [prompt_of(3), prompt_of(3, 1)], GREEDY)
    stop = next(token for token in ends[0][0] if token not in ends[1][0])
    shapes.clear()
    made = tokens(model, [prompt_of(3), prompt_of(3, 1)], GREEDY.replace(stop_tokens=(stop,)))
    at = made[0][0].index(stop)
    assert made[0][0] == ends[0][0][: at + 1]
    assert made[1] == ends[1]
    assert [shape[0] for shape in shapes] == [2] * (at + 1) + [1] * (11 - at)


def test_no_token_is_read_after_the_last(reads):
    model, shapes = reads
    generate(model, TOKENIZER, [prompt_of(3)], GREEDY.replace(max_tokens=1))
    assert shapes == [(1, 3)]


def test_endoftext_ends_a_sample_and_is_not_shown():
    model = tiny_model(8, eot=EOT)
    made = generate(model, TOKENIZER, [prompt_of(3)], SAMPLED.replace(n=8, max_tokens=60, ignore_eot=False))[0]
    ended = [sample for sample in made.samples if sample.finish_reason == "stop"]
    assert ended
    for sample in made.samples:
        stopped = sample.finish_reason == "stop"
        assert (sample.tokens[-1] == EOT) == stopped
        assert EOT not in sample.tokens[:-1]
        assert sample.text == TOKENIZER.decode(sample.tokens[:-1] if stopped else sample.tokens)
        assert len(sample.tokens) == 60 or stopped


def test_endoftext_is_ordinary_when_ignored():
    model = tiny_model(8, eot=EOT)
    made = generate(model, TOKENIZER, [prompt_of(3)], SAMPLED.replace(n=8, max_tokens=60))[0]
    assert any(EOT in sample.tokens[:-1] for sample in made.samples)
    assert all(len(sample.tokens) == 60 and sample.finish_reason == "length" for sample in made.samples)


def test_the_stream_is_the_result_in_pieces():
    model = tiny_model(9)
    prompts, params = [prompt_of(3), prompt_of(7, 1)], SAMPLED.replace(n=2, stop=("e", "!!"), logprobs=3)
    steps = list(stream(model, TOKENIZER, prompts, params))
    for index, made in enumerate(generate(model, TOKENIZER, prompts, params)):
        assert made.prompt_tokens == tuple(prompts[index])
        assert made.prompt == TOKENIZER.decode(prompts[index])
        for number, sample in enumerate(made.samples):
            mine = [step for step in steps if (step.prompt, step.sample) == (index, number)]
            assert "".join(step.text for step in mine) == sample.text
            assert tuple(step.token for step in mine) == sample.tokens
            assert tuple(step.top_logprobs for step in mine) == sample.top_logprobs
            assert [step.finish_reason for step in mine[:-1]] == [None] * (len(mine) - 1)
            assert mine[-1].finish_reason == sample.finish_reason


def test_logprobs_are_those_of_the_model_before_any_change():
    model = tiny_model(10)
    prompt = prompt_of(4)
    made = generate(model, TOKENIZER, [prompt], SAMPLED.replace(logprobs=2, banned_tokens=(0,)))[0].samples[0]
    ids = torch.tensor([[*prompt, *made.tokens]])
    expected = model(ids)[0][0, 3:-1].detach().log_softmax(dim=-1)
    chosen = expected[torch.arange(len(made.tokens)), torch.tensor(made.tokens)]
    torch.testing.assert_close(torch.tensor(made.logprobs, dtype=torch.float64), chosen, rtol=0, atol=1e-12)
    assert made.logprob == pytest.approx(float(chosen.sum()))
    for row, top in zip(expected, made.top_logprobs, strict=True):
        values, ids = row.topk(2)
        assert list(top) == ids.tolist()
        assert list(top.values()) == pytest.approx(values.tolist())


def test_a_chosen_token_has_the_same_float_in_both_places():
    made = generate(tiny_model(dtype=torch.float32), TOKENIZER, [prompt_of(4)], GREEDY.replace(logprobs=1))[0]
    sample = made.samples[0]
    for token, logprob, top in zip(sample.tokens, sample.logprobs, sample.top_logprobs, strict=True):
        assert top == {token: logprob}


def test_half_precision_generates_and_reports_finite_logprobs():
    for dtype in (torch.bfloat16, torch.float16):
        model = tiny_model(11).to(dtype)
        made = generate(model, TOKENIZER, [prompt_of(4), prompt_of(2)], SAMPLED)
        assert all(-50 < logprob < 0 for one in made for logprob in one.samples[0].logprobs)


def test_generation_leaves_no_gradients_and_no_mode_behind():
    model = tiny_model()
    steps = stream(model, TOKENIZER, [prompt_of(3)], GREEDY)
    next(steps)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert model(torch.tensor([[1, 2]]))[0].requires_grad
    assert len(list(steps)) == 11


@pytest.mark.parametrize(
    ("prompts", "sentence"),
    [
        ([], "a prompt needs at least one token"),
        ([[1], []], "a prompt needs at least one token; start an empty one from <|endoftext|>"),
        ([[1, 100_000]], "token id 100,000 is not in the model's vocabulary of 272"),
        ([[-1]], "token id -1 is not in"),
    ],
)
def test_unreadable_prompts_are_refused(prompts, sentence):
    with pytest.raises(GenerationError, match=sentence.replace("|", r"\|")):
        generate(tiny_model(), TOKENIZER, prompts, GREEDY)


def test_bans_that_leave_nothing_are_an_error():
    everything = tuple(range(TOKENIZER.n_vocab))
    for params in (GREEDY, SAMPLED):
        with pytest.raises(GenerationError, match="every token is forbidden"):
            generate(tiny_model(), TOKENIZER, [prompt_of(3)], params.replace(banned_tokens=everything))


def test_weights_that_are_not_numbers_are_an_error():
    model = tiny_model()
    with torch.no_grad():
        model.ln_f.weight.fill_(torch.nan)
    for params in (GREEDY, SAMPLED):
        with pytest.raises(GenerationError, match="not finite"):
            generate(model, TOKENIZER, [prompt_of(3)], params)


def test_ids_beyond_the_tokenizer_are_never_chosen():
    model, prompt = tiny_model(12, vocab_size=320), prompt_of(3)
    params = SAMPLED.replace(n=4, top_k=0, top_p=1, temperature=3)
    assert all(token < TOKENIZER.n_vocab for sample in tokens(model, [prompt], params)[0] for token in sample)
    assert all(token < TOKENIZER.n_vocab for token in tokens(model, [prompt], GREEDY)[0][0])
