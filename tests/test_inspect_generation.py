"""Traces of a generation: each step against the whole text, read at once."""

import pytest
import torch
from torch.testing import assert_close

from cutaway.errors import GenerationError, InspectionError
from cutaway.inspect import ablate_heads, all_names, trace, trace_generation
from cutaway.language_model import LanguageModel
from cutaway.window import Window
from tiny import TOKENIZER, prompt_of, tiny_model

GPT = LanguageModel(tiny_model(), TOKENIZER, "tiny")
PROMPT = prompt_of(6)
OPTIONS = {"seed": 2, "max_tokens": 5, "ignore_eot": True}


def test_the_steps_are_those_of_the_plain_stream():
    steps = [step for step, _ in trace_generation(GPT, PROMPT, "embed", **OPTIONS)]
    assert steps == list(GPT.stream(PROMPT, **OPTIONS))


@pytest.mark.parametrize("gpt", [GPT, GPT.edited(ablate_heads(0, 1, positions=range(3, 9)))], ids=["plain", "edited"])
def test_each_step_is_traced_as_it_would_be_in_the_whole_text(gpt):
    made = list(trace_generation(gpt, PROMPT, **OPTIONS))
    whole = trace(gpt, [*PROMPT, *(step.token for step, _ in made)])
    start = 0
    for number, (_, traced) in enumerate(made):
        end = len(PROMPT) + number
        assert (traced.start, traced.ids) == (start, whole.ids[:end])
        assert traced.names == all_names(2)[:-1]
        for name in traced:
            expected = whole[name][..., start:end, :]
            expected = expected[..., :end] if "pattern" in name else expected
            assert_close(traced[name], expected, rtol=0, atol=1e-10, msg=f"{number} {name}")
        start = end


def test_a_step_knows_its_queries_and_keys():
    *_, (_, last) = trace_generation(GPT, PROMPT, "pattern", **OPTIONS)
    pattern = last.labelled("h.1.pattern")
    assert pattern.axes[1].labels == last.pieces[-1:]
    assert pattern.axes[2].labels == last.pieces
    assert len(last.pieces) == 10


@pytest.mark.parametrize(("past_context", "starts"), [("slide", [0, 31, 0, 0, 0]), ("half", [0, 31, 0, 17, 18])])
def test_past_the_context_every_step_is_the_trace_of_its_window(past_context, starts):
    prompt, rule = prompt_of(31), Window(block_size=32, past_context=past_context)
    made = list(trace_generation(GPT, prompt, ["pattern", "ln_f"], past_context=past_context, **OPTIONS))
    text = [*prompt, *(step.token for step, _ in made)]
    for number, (_, traced) in enumerate(made):
        window = tuple(text[rule.start(31 + number) : 31 + number])
        assert traced.ids == window
        expected = trace(GPT, window, ["pattern", "ln_f"])
        assert_close(traced["ln_f"], expected["ln_f"][traced.start :], rtol=0, atol=1e-10)
        assert_close(traced["h.1.pattern"], expected["h.1.pattern"][:, traced.start :], rtol=0, atol=1e-10)
    assert [traced.start for _, traced in made] == starts


def test_what_is_traced_can_go_into_computations_with_gradients():
    _, traced = next(trace_generation(GPT, PROMPT, "ln_f", dtype=torch.float32, **OPTIONS))
    assert traced["ln_f"].dtype == torch.float32
    assert not traced["ln_f"].is_inference()


@pytest.mark.parametrize(
    ("names", "changes", "error", "sentence"),
    [
        ("logits", {}, InspectionError, "generation forms the logits of the last position only"),
        ("ln_g", {}, InspectionError, "there is no activation 'ln_g'; did you mean 'ln_f'?"),
        (None, {"n": 2}, InspectionError, "n=2 samples cannot be traced at once; trace one at a time"),
        (None, {"temperature": -1}, GenerationError, "temperature"),
    ],
)
def test_what_cannot_be_traced_is_refused_before_anything_runs(names, changes, error, sentence):
    with pytest.raises(error, match=sentence):
        trace_generation(GPT, PROMPT, names, **changes)
