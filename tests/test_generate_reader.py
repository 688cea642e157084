"""Reading with a cache, in unequal rows and past the context, gives what reading everything afresh gives."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.errors import GenerationError
from cutaway.generate.reader import Reader
from cutaway.window import PAST_CONTEXT, Window
from tiny import prompt_of, tiny_model


def afresh(model, rows, past_context):
    """The logits after each row, its window read alone from scratch."""
    window = Window(block_size=model.config.block_size, past_context=past_context)
    return torch.cat([model(torch.tensor([row[window.start(len(row)) :]]))[0][:, -1] for row in rows])


@torch.inference_mode()
def assert_followed(model, prompts, moves, past_context):
    """Read the prompts and then make the moves, checking the logits after each step."""
    reader = Reader(model, len(moves), past_context)
    rows = [list(prompt) for prompt in prompts]
    torch.testing.assert_close(reader.prefill(prompts), afresh(model, rows, past_context), rtol=0, atol=1e-11)
    for picks, tokens in moves:
        picks = [pick % len(rows) for pick in picks]
        rows = [[*rows[pick], token] for pick, token in zip(picks, tokens, strict=False)]
        reader.select(picks[: len(rows)])
        logits = reader.decode([row[-1] for row in rows])
        torch.testing.assert_close(logits, afresh(model, rows, past_context), rtol=0, atol=1e-11)
        assert reader.rows == rows


@st.composite
def moves(draw):
    """Which rows go on, in which order and how often, and with which tokens."""
    width = draw(st.integers(1, 4))
    picks = st.lists(st.integers(0, 100), min_size=width, max_size=width)
    tokens = st.lists(st.integers(0, 270), min_size=width, max_size=width)
    return draw(picks), draw(tokens)


MODEL = tiny_model(block_size=8)
each_rule = pytest.mark.parametrize("past_context", PAST_CONTEXT)


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=4),
    st.lists(moves(), min_size=1, max_size=7),
    st.sampled_from(PAST_CONTEXT),
)
@settings(max_examples=40)
def test_prefill_select_and_decode_in_any_order_equal_reading_afresh(lengths, moves, past_context):
    assert_followed(MODEL, [prompt_of(length, i) for i, length in enumerate(lengths)], moves, past_context)


@each_rule
@pytest.mark.parametrize("length", [1, 7, 8, 9, 17])
def test_the_edge_of_the_context_is_crossed_without_a_seam(length, past_context):
    assert_followed(MODEL, [prompt_of(length)], [([0], [token]) for token in range(12)], past_context)


@each_rule
def test_a_context_of_one_token_works(past_context):
    moves = [([0, 1], [5, 6]), ([1], [7])]
    assert_followed(tiny_model(block_size=1), [prompt_of(1), prompt_of(3, 1)], moves, past_context)


def test_where_halves_are_forgotten_most_tokens_past_the_context_are_read_once(monkeypatch):
    model, shapes = tiny_model(block_size=8), []
    hidden = model.hidden
    monkeypatch.setattr(model, "hidden", lambda idx, **options: shapes.append(idx.shape) or hidden(idx, **options))
    with torch.inference_mode():
        reader = Reader(model, new_tokens=12)
        reader.prefill([prompt_of(7)])
        for token in range(12):
            reader.decode([token])
    assert [shape[1] for shape in shapes] == [7, 1, 5, 1, 1, 1, 5, 1, 1, 1, 5, 1, 1]


def test_a_row_whose_window_moves_is_read_afresh_alone(monkeypatch):
    model, shapes = tiny_model(block_size=8), []
    hidden = model.hidden
    monkeypatch.setattr(model, "hidden", lambda idx, **options: shapes.append(idx.shape) or hidden(idx, **options))
    with torch.inference_mode():
        reader = Reader(model, new_tokens=2)
        reader.prefill([prompt_of(3), prompt_of(8, 1), prompt_of(5, 2)])
        reader.decode([1, 2, 3])
        reader.decode([1, 2, 3])
    assert shapes == [(3, 8), (2, 1), (1, 5), (3, 1)]


@st.composite
def trials(draw, rows):
    """Tokens that some rows are read on by, and how many of them are taken back; numbers are cut to what there is."""
    chosen = draw(st.lists(st.integers(0, rows - 1), min_size=1, max_size=rows, unique=True))
    tokens = [draw(st.lists(st.integers(0, 270), min_size=1, max_size=5)) for _ in chosen]
    return chosen, tokens, [draw(st.integers(0, 4)) for _ in chosen]


@given(
    st.lists(st.integers(1, 12), min_size=3, max_size=3), st.lists(trials(3), max_size=6), st.sampled_from(PAST_CONTEXT)
)
@settings(max_examples=40)
def test_rows_are_read_on_by_several_tokens_and_take_some_back(lengths, trials, past_context):
    with torch.inference_mode():
        reader = Reader(MODEL, 40, past_context)
        reader.prefill([prompt_of(length, i) for i, length in enumerate(lengths)])
        for rows, tokens, forgotten in trials:
            tokens = [new[:room] for new, room in zip(tokens, reader.room(rows), strict=True)]
            before = [list(reader.rows[row]) for row in rows]
            for row, old, new, logits in zip(rows, before, tokens, reader.extend(rows, tokens), strict=True):
                assert reader.rows[row] == [*old, *new]
                expected = afresh(MODEL, [[*old, *new[: n + 1]] for n in range(len(new))], past_context)
                torch.testing.assert_close(logits, expected, rtol=0, atol=1e-11)
            for row, new, count in zip(rows, tokens, forgotten, strict=True):
                reader.forget(row, min(count, len(new) - 1))
        last = reader.decode([1, 2, 3])
        torch.testing.assert_close(last, afresh(MODEL, reader.rows, past_context), rtol=0, atol=1e-11)


@given(st.integers(1, 20), st.lists(st.integers(0, 270), min_size=1, max_size=20), st.integers(0, 20))
@settings(max_examples=20)
def test_many_tokens_are_caught_up_with_and_any_number_forgotten(length, tokens, forgotten):
    with torch.inference_mode():
        reader = Reader(MODEL, 60)
        reader.prefill([prompt_of(length)])
        (caught_up,) = reader.extend([0], [tokens], last_only=True)
        torch.testing.assert_close(caught_up, afresh(MODEL, reader.rows, "half"), rtol=0, atol=1e-11)
        reader.forget(0, min(forgotten, length + len(tokens) - 1))
        torch.testing.assert_close(reader.decode([7]), afresh(MODEL, reader.rows, "half"), rtol=0, atol=1e-11)


def test_forgetting_nothing_changes_nothing():
    with torch.inference_mode():
        reader = Reader(MODEL, 5)
        reader.prefill([[1, 2, 3]])
        reader.forget(0, 0)
    assert reader.rows == [[1, 2, 3]]


def test_states_are_the_final_hidden_states_of_what_was_read_last():
    reader = Reader(MODEL, new_tokens=2)
    with torch.inference_mode():
        reader.prefill([[1, 2, 3]])
        torch.testing.assert_close(reader.states, MODEL.hidden(torch.tensor([[1, 2, 3]])))
        reader.decode([4])
        torch.testing.assert_close(reader.states, MODEL.hidden(torch.tensor([[1, 2, 3, 4]]))[:, -1:])


def test_the_prompts_handed_in_are_not_changed():
    prompts = [[1, 2], [3]]
    with torch.inference_mode():
        reader = Reader(MODEL, new_tokens=1)
        reader.prefill(prompts)
        reader.select([0, 0, 1])
        reader.decode([7, 8, 9])
    assert prompts == [[1, 2], [3]]
    assert reader.rows == [[1, 2, 7], [1, 2, 8], [3, 9]]


def test_half_precision_logits_come_as_float32():
    with torch.inference_mode():
        for dtype in (torch.bfloat16, torch.float16):
            assert Reader(tiny_model().to(dtype), new_tokens=1).prefill([[1]]).dtype == torch.float32
        assert Reader(MODEL, new_tokens=1).prefill([[1]]).dtype == torch.float64


@pytest.mark.parametrize(
    ("prompts", "sentence"),
    [
        ([], "at least one token"),
        ([[]], "at least one token"),
        ([[272]], "token id 272 is not in the model's vocabulary of 272; use the tokenizer that belongs to it"),
        ([[1], [-2]], "token id -2"),
    ],
)
def test_what_cannot_be_read_is_refused(prompts, sentence):
    with pytest.raises(GenerationError, match=sentence):
        Reader(MODEL, new_tokens=1).prefill(prompts)
