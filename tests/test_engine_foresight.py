"""Guesses that an engine reads along change no token, save steps where they come true, and stop where they cost."""

import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.engine import Engine, EngineLimits, Request
from cutaway.engine.foresight import Foresight
from cutaway.errors import EngineError
from cutaway.generate import Speculation
from cutaway.sampling import SamplingParams
from native_models import native_model, needs_kernels
from scripted import ScriptedRunner, expectation
from tiny import EOT, TOKENIZER, prompt_of, tiny_model

LIMITS = EngineLimits(max_running=4, max_kept=2, step_tokens=8)
GREEDY = SamplingParams(max_tokens=12, temperature=0, ignore_eot=True)
REPETITIVE = (1, 2, 3, 1, 2, 3, 1, 2)


class Parrot(ScriptedRunner):
    """A network that likes to say again what it said three tokens ago, the more the greater its `zeal`."""

    def __init__(self, zeal, **options):
        super().__init__(**options)
        self.zeal = zeal

    def expect(self, text):
        logits = expectation(text, self.vocab_size)
        logits[text[-3:][0]] += self.zeal
        return logits


def always(most=3):
    return Speculation(most=most, adaptive=False)


def run(requests, speculation, *, zeal=9.0, context=16, limits=LIMITS):
    """The outcomes, and the runner."""
    runner = Parrot(zeal, slots=limits.slots, context=context)
    engine = Engine(runner, TOKENIZER, limits, speculation=speculation)
    outcomes = engine.run(requests)
    assert engine.statistics.held_tokens <= limits.slots * context
    return outcomes, runner


@st.composite
def requests(draw):
    """Some texts that repeat themselves and end in every way there is, also past the context."""
    prompt = st.lists(st.integers(1, 3), min_size=1, max_size=24).map(tuple)
    params = st.builds(
        SamplingParams,
        max_tokens=st.integers(1, 30),
        temperature=st.sampled_from([0.0, 0.7]),
        seed=st.integers(0, 9),
        n=st.integers(1, 3),
        past_context=st.sampled_from(["half", "slide"]),
        stop_tokens=st.sampled_from([(), (2,)]),
        repetition_penalty=st.sampled_from([1.0, 1.1]),
    )
    return draw(st.lists(st.builds(Request, prompt=prompt, params=params), min_size=1, max_size=5))


@settings(deadline=None)
@given(requests(), st.integers(1, 6), st.booleans(), st.sampled_from([0.0, 4.0, 9.0]))
def test_every_outcome_is_what_it_is_without_guesses(asked, most, adaptive, zeal):
    expected, _ = run(asked, None, zeal=zeal)
    got, _ = run(asked, Speculation(most=most, adaptive=adaptive), zeal=zeal)
    assert got == expected


def test_guesses_that_come_true_save_steps():
    speculation = always()
    (outcome,), runner = run([Request(prompt=REPETITIVE, params=GREEDY)], speculation, zeal=99, context=64)
    assert [step.token for step in outcome.steps[0]] == [3, 1, 2] * 4
    # The prompt, its first token with three guesses, and so on: 1 + 4 + 4 + 3 tokens.
    assert [len(new) for read in runner.reads for new in read.values()] == [8, 4, 4, 3]
    assert (speculation.tally.guessed, speculation.tally.right) == (8, 8)


def test_guesses_that_do_not_come_true_are_forgotten():
    params = GREEDY.replace(banned_tokens=(3,), max_tokens=4)
    (outcome,), runner = run([Request(prompt=REPETITIVE, params=params)], always(), zeal=99, context=64)
    said = [step.token for step in outcome.steps[0]]
    assert 3 not in said
    assert runner.held[0][: len(REPETITIVE) + 3] == [*REPETITIVE, *said[:3]]


def test_while_somebody_reads_a_prompt_nothing_is_guessed():
    engine = Engine(runner := Parrot(99, slots=6, context=64), TOKENIZER, LIMITS, speculation=always())
    engine.add(Request(prompt=REPETITIVE, params=GREEDY))
    engine.step()
    engine.add(Request(prompt=tuple(range(10, 30)), params=GREEDY))
    for _ in range(3):
        engine.step()
    assert [sorted(len(new) for new in read.values()) for read in runner.reads[1:]] == [[1, 7], [1, 7], [1, 6]]


def test_no_step_reads_more_than_it_may():
    asked = [Request(prompt=REPETITIVE, params=GREEDY) for _ in range(4)]
    _, runner = run(asked, Speculation(most=8), zeal=99, context=64)
    assert max(sum(map(len, read.values())) for read in runner.reads) <= LIMITS.step_tokens


@pytest.mark.parametrize(("cost", "guesses"), [(lambda tokens: 1.0, True), (lambda tokens: float(tokens), False)])
def test_guesses_are_read_only_where_a_longer_step_costs_less_than_it_saves(cost, guesses):
    """The clock stands still but for what reading costs by the number of tokens."""
    runner, now = Parrot(99, slots=6, context=256), [0.0]
    engine = Engine(runner, TOKENIZER, LIMITS, speculation=Speculation())
    engine._foresight = Foresight(Speculation(), clock=lambda: now[0])
    read = runner.read

    def timed(slots, tokens, answers):
        now[0] += cost(sum(map(len, tokens)))
        return read(slots, tokens, answers)

    runner.read = timed
    engine.run([Request(prompt=REPETITIVE, params=GREEDY.replace(max_tokens=120))])
    last = [len(new) for read in runner.reads[-8:] for new in read.values()]
    assert (max(last) > 1) is guesses


@pytest.mark.parametrize("adaptive", [True, False])
def test_where_looking_up_takes_longer_than_it_saves_it_is_soon_done_seldom(adaptive):
    """The clock stands still but for a step, and for looking up."""
    runner, now = Parrot(0, slots=6, context=512), [0.0]
    engine = Engine(runner, TOKENIZER, LIMITS, speculation=Speculation(adaptive=adaptive))
    foresight = engine._foresight = Foresight(Speculation(adaptive=adaptive), clock=lambda: now[0])
    read, kind, looked = runner.read, foresight._lookup.kind, []

    def slowly(sample):
        now[0] += 0.1
        looked.append(sample)
        return kind(sample)

    def timed(*reading):
        now[0] += 1.0
        return read(*reading)

    foresight._lookup.kind, runner.read = slowly, timed
    engine.run([Request(prompt=(1,), params=GREEDY.replace(max_tokens=400, temperature=1.0, seed=0))])
    assert (len(looked) < 200) is adaptive


def test_what_was_looked_up_goes_with_the_sample():
    engine = Engine(Parrot(9, slots=6, context=64), TOKENIZER, LIMITS, speculation=always())
    engine.run([Request(prompt=REPETITIVE, params=GREEDY)])
    gc.collect()
    assert not len(engine._foresight._lookup._texts)


def test_a_draft_is_refused():
    with pytest.raises(EngineError, match="leave the draft out"):
        Engine(Parrot(9), TOKENIZER, LIMITS, speculation=Speculation(draft=object()))


@needs_kernels
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_native_kernels_write_the_same_bits_with_guesses(precision):
    model = native_model(tiny_model(5, eot=EOT).float(), threads=2, precision=precision)
    asked = [
        Request(
            prompt=tuple(prompt_of(length, length)), params=SamplingParams(max_tokens=50, temperature=t, seed=1, n=2)
        )
        for length, t in ((5, 0.0), (12, 0.5), (30, 0.0), (40, 1.0))
    ]
    tally = (speculation := always(4)).tally
    expected = Engine.over(model, TOKENIZER).run(asked)
    assert Engine.over(model, TOKENIZER, speculation=speculation).run(asked) == expected
    assert 0 < tally.right < tally.guessed
