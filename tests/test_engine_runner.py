"""The runners over real networks: the engine gives what the plain loop gives, to the bit where the kernels read."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.engine import Engine, EngineLimits, Request, native_runner, runner_of, torch_runner
from cutaway.engine.native_runner import NativeRunner
from cutaway.engine.room import grown_room
from cutaway.engine.torch_runner import TorchRunner
from cutaway.errors import GenerationError
from cutaway.generate import generate, score, stream
from cutaway.model import GPT
from cutaway.native import NativeModel
from cutaway.sampling import SamplingParams
from native_models import native_model, needs_kernels
from tiny import TOKENIZER, prompt_of, tiny_model

BLOCK, FIRST_ROOM = 24, 5
PARAMS = SamplingParams(max_tokens=8, seed=3, temperature=1.2, logprobs=2, ignore_eot=True)
PRECISIONS = ["float32", "bfloat16", "int8", "int4", "w8a8"]


@pytest.fixture(scope="module", autouse=True)
def _small_rooms():
    """Slots that begin so small that they grow in every test."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (native_runner, torch_runner):
            patch.setattr(module, "FIRST_ROOM", FIRST_ROOM)
        yield


@pytest.fixture(scope="module")
def plain():
    return tiny_model(4, block_size=BLOCK)


@pytest.fixture(scope="module")
def natives(plain):
    return {precision: native_model(plain, precision=precision, threads=2) for precision in PRECISIONS}


@pytest.fixture(scope="module")
def runners(plain):
    """A runner of each kind with 4 slots, made afresh by a call."""
    makers = {"torch": lambda: TorchRunner(plain, 4)}
    return makers | {"native": lambda: NativeRunner(native_model(plain), 4)}


each_runner = pytest.mark.parametrize("kind", ["torch", pytest.param("native", marks=needs_kernels)])


@torch.inference_mode()
def logits_of(model: GPT, tokens):
    return model(torch.tensor([tokens]))[0][0].numpy()


def assert_close(got, expected):
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)


@each_runner
def test_prompts_pieces_and_single_tokens_are_read_together(kind, runners, plain):
    runner = runners[kind]()
    a, b, c, d = (prompt_of(20, seed) for seed in range(4))
    assert runner.read([0, 2], [a[:5], b[:3]], [0, 0]).shape == (0, plain.config.vocab_size)
    got = runner.read([2, 3, 0, 1], [b[3:4], c[:7], a[5:17], d[:6]], [1, 2, 0, 6])
    expected = [logits_of(plain, b[:4])[-1:], logits_of(plain, c[:7])[-2:], logits_of(plain, d[:6])]
    assert_close(got, np.concatenate(expected))


@each_runner
def test_a_copy_goes_its_own_way(kind, runners, plain):
    runner = runners[kind]()
    text, other = prompt_of(12, 1), prompt_of(5, 2)
    runner.read([1, 3], [text[:9], other], [0, 0])
    runner.copy(1, 3, 6)
    got = runner.read([1, 3], [text[9:], other], [1, 1])
    assert_close(got[0], logits_of(plain, text)[-1])
    assert_close(got[1], logits_of(plain, text[:6] + other)[-1])


@each_runner
def test_what_was_cut_is_forgotten(kind, runners, plain):
    runner = runners[kind]()
    text, other = prompt_of(12, 1), prompt_of(5, 2)
    runner.read([0], [text], [0])
    runner.truncate(0, 4)
    assert_close(runner.read([0], [other], [1])[0], logits_of(plain, text[:4] + other)[-1])
    runner.truncate(0, 0)
    assert_close(runner.read([0], [other], [1])[0], logits_of(plain, other)[-1])


@each_runner
def test_a_read_that_does_not_fit_changes_no_slot(kind, runners, plain):
    runner = runners[kind]()
    text = prompt_of(BLOCK)
    runner.read([0, 1], [text[:6], text], [0, 0])
    with pytest.raises(GenerationError, match="25 tokens do not fit"):
        runner.read([0, 1], [text[6:8], [1]], [1, 1])
    assert_close(runner.read([0], [text[6:8]], [1])[0], logits_of(plain, text[:8])[-1])


def test_a_read_that_fails_half_way_changes_no_slot(monkeypatch):
    model = tiny_model(1, block_size=BLOCK)
    runner = TorchRunner(model, 2)
    text = prompt_of(BLOCK)
    runner.read([0], [text[:6]], [0])
    with monkeypatch.context() as patch:
        # The short piece is read first, and its slot has it by the time the long one fails.
        whole = model.hidden
        patch.setattr(model, "hidden", lambda idx, **rest: whole(idx, **rest) if idx.shape[1] < 9 else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            runner.read([0, 1], [text[6:8], text[:9]], [1, 1])
    assert_close(runner.read([0], [text[6:8]], [1])[0], logits_of(model, text[:8])[-1])


@each_runner
def test_slots_grow_with_their_texts(kind, runners, plain):
    runner = runners[kind]()
    text, other = prompt_of(BLOCK), prompt_of(6, 1)
    rooms = []
    for piece, end in zip((text[:4], text[4:6], text[6:23], text[23:]), (3, 4, 5, 6), strict=True):
        got = runner.read([0, 2], [piece, other[end - 1 : end] if end > 3 else other[:3]], [1, 1])
        assert_close(got[1], logits_of(plain, other[:end])[-1])
        rooms.append(runner._cache.max_tokens)
    assert rooms == [FIRST_ROOM, 2 * FIRST_ROOM, 23, BLOCK]
    assert_close(got[0], logits_of(plain, text)[-1])


@given(st.integers(1, 100), st.integers(1, 100), st.integers(1, 100))
def test_room_suffices_up_to_the_context_and_at_least_doubles(room, tokens, context):
    room, tokens = min(room, context), min(tokens, context)
    grown = grown_room(room, tokens, context)
    assert tokens <= grown <= context
    assert grown == room or grown >= min(2 * room, context)


def test_pytorch_reads_pieces_of_like_lengths_together_and_no_others(monkeypatch):
    runner = TorchRunner(tiny_model(1, block_size=BLOCK), 6)
    shapes = []
    whole = runner._model.hidden
    monkeypatch.setattr(runner._model, "hidden", lambda idx, **rest: shapes.append(idx.shape) or whole(idx, **rest))
    runner.read(range(6), [prompt_of(length, length) for length in (1, 9, 1, 10, 8, 20)], [1] * 6)
    assert sorted(map(tuple, shapes)) == [(1, 20), (2, 1), (3, 10)]


def test_padding_never_reaches_over_the_end_of_a_slot():
    model = tiny_model(1, block_size=BLOCK)
    runner = TorchRunner(model, 2)
    text, other = prompt_of(BLOCK), prompt_of(9, 1)
    runner.read([0], [text[: BLOCK - 8]], [0])
    got = runner.read([0, 1], [text[BLOCK - 8 :], other], [1, 1])
    assert_close(got, np.stack([logits_of(model, text)[-1], logits_of(model, other)[-1]]))


def test_the_runner_suits_the_network(plain):
    assert isinstance(runner_of(plain, 2), TorchRunner)


@needs_kernels
def test_the_runner_suits_native_hands(natives):
    assert isinstance(runner_of(natives["float32"], 2), NativeRunner)


prompts = st.builds(
    lambda shared, rest, seed: [*prompt_of(shared, 1), *prompt_of(rest, seed)],
    st.integers(0, 14),
    st.integers(1, 16),
    st.integers(2, 4),
)
requests = st.builds(
    lambda prompt, scored, **changes: Request(
        prompt=tuple(prompt),
        params=PARAMS.replace(**changes),
        prompt_logprobs=1 if scored and len(prompt) <= BLOCK else None,
    ),
    prompts,
    st.booleans(),
    n=st.integers(1, 3),
    seed=st.integers(0, 2),
    max_tokens=st.integers(1, 12),
    temperature=st.sampled_from([0, 1.2]),
    repetition_penalty=st.sampled_from([1.0, 1.2]),
    past_context=st.sampled_from(["half", "slide"]),
)
limits = st.builds(
    EngineLimits,
    max_running=st.integers(1, 5),
    max_kept=st.integers(0, 2),
    step_tokens=st.integers(6, 40),
    score_rows=st.integers(1, 9),
    max_held_tokens=st.sampled_from([None, 30]),
)


def steps_of_the_plain_loop(model, request):
    steps = [[] for _ in range(request.params.n)]
    for step in stream(model, TOKENIZER, [list(request.prompt)], request.params):
        steps[step.sample].append(step)
    return tuple(map(tuple, steps))


@needs_kernels
@pytest.mark.parametrize("precision", PRECISIONS)
@given(data=st.data())
@settings(max_examples=15)
def test_over_kernels_every_step_equals_the_plain_loops_to_the_bit(precision, natives, data):
    model: NativeModel = natives[precision]
    asked = data.draw(st.lists(requests, min_size=1, max_size=6))
    for outcome in Engine.over(model, TOKENIZER, data.draw(limits)).run(asked):
        assert outcome.error is None
        assert outcome.steps == steps_of_the_plain_loop(model, outcome.request)
        assert_scored_at_once(outcome, model)


def assert_scored_at_once(outcome, model):
    """The prompt's scores, read in pieces, are those of reading it whole."""
    prompt = list(outcome.request.prompt)
    if outcome.request.prompt_logprobs is None:
        assert outcome.prompt_scores == ()
        return
    logits = model.forward(model.cache(), [0], [prompt], [len(prompt)])
    shifted = logits - logits.max(-1, keepdims=True)
    logprobs = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    expected = [None, *(float(row[token]) for row, token in zip(logprobs, prompt[1:], strict=False))]
    assert [score.logprob for score in outcome.prompt_scores] == expected


@given(asked=st.lists(requests, min_size=1, max_size=6), chosen=limits)
@settings(max_examples=15)
def test_over_pytorch_in_float64_every_token_equals_the_plain_loops(asked, chosen, plain):
    for outcome in Engine.over(plain, TOKENIZER, chosen).run(asked):
        expected = steps_of_the_plain_loop(plain, outcome.request)
        assert [[step.token for step in steps] for steps in outcome.steps] == [
            [step.token for step in steps] for steps in expected
        ]
        for got, wanted in zip(outcome.steps, expected, strict=True):
            np.testing.assert_allclose([s.logprob for s in got], [s.logprob for s in wanted], atol=1e-9)
        if outcome.prompt_scores:
            scores = score(plain, TOKENIZER, outcome.request.prompt)
            got = [found.logprob for found in outcome.prompt_scores[1:]]
            np.testing.assert_allclose(got, [found.logprob for found in scores[1:]], atol=1e-9)


def test_over_pytorch_in_float32_the_tokens_are_the_plain_loops():
    model = tiny_model(2, block_size=BLOCK, dtype=torch.float32)
    texts = [prompt_of(length, length) for length in (1, 5, 9, 9, 14, 20, 30)]
    engine = Engine.over(model, TOKENIZER, EngineLimits(max_running=5, max_kept=2, step_tokens=11))
    params = PARAMS.replace(n=2, temperature=0.9, max_tokens=16)
    for text, made in zip(texts, engine.generate(texts, params), strict=True):
        (alone,) = generate(model, TOKENIZER, [text], params)
        assert [sample.tokens for sample in made.samples] == [sample.tokens for sample in alone.samples]


@needs_kernels
def test_generate_gives_what_the_plain_generate_gives(natives):
    texts = [prompt_of(length, length) for length in (3, 30, 8)]
    params = PARAMS.replace(n=2, stop=("the",), ignore_eot=False)
    made = Engine.over(natives["float32"], TOKENIZER).generate(texts, params)
    assert made == generate(natives["float32"], TOKENIZER, texts, params)
    greedy = params.replace(temperature=0, seed=None)
    assert Engine.over(natives["float32"], TOKENIZER).generate(texts, greedy)[0].seed is None


def test_an_engine_over_kernels_needs_no_torch():
    code = (
        "import sys; from cutaway.engine import Engine, EngineThread, Request, runner_of; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
