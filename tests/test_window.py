"""The window against a text that grows token by token and forgets as it is told to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.window import PAST_CONTEXT, Window

BLOCKS = st.integers(1, 40)
LENGTHS = st.integers(0, 400)


def grown(block_size, past_context, tokens):
    """The indices still in the window, of a text that came one token at a time."""
    kept = []
    for token in range(tokens):
        kept.append(token)
        if len(kept) > block_size:
            forgotten = 1 if past_context == "slide" else max(1, block_size // 2)
            kept = kept[forgotten:]
    return kept


@given(BLOCKS, st.sampled_from(PAST_CONTEXT), LENGTHS)
def test_it_holds_what_a_growing_text_has_not_forgotten(block_size, past_context, tokens):
    window = Window(block_size=block_size, past_context=past_context)
    assert list(range(window.start(tokens), tokens)) == grown(block_size, past_context, tokens)


@given(BLOCKS, st.sampled_from(PAST_CONTEXT), LENGTHS)
def test_it_stays_until_its_end(block_size, past_context, tokens):
    window = Window(block_size=block_size, past_context=past_context)
    end = window.end(tokens)
    assert window.start(end) == window.start(tokens) != window.start(end + 1)


@given(st.integers(1, 20))
def test_where_halves_are_forgotten_a_token_is_read_twice_at_most(half):
    window, tokens = Window(block_size=2 * half), 40 * half
    moved = [n for n in range(1, tokens + 1) if window.start(n) != window.start(n - 1)]
    read_again = sum(n - 1 - window.start(n) for n in moved)
    assert read_again <= tokens


@pytest.mark.parametrize(
    ("past_context", "starts"), [("half", [0, 0, 0, 2, 2, 4, 4]), ("slide", [0, 0, 0, 1, 2, 3, 4])]
)
def test_a_context_of_four(past_context, starts):
    window = Window(block_size=4, past_context=past_context)
    assert [window.start(tokens) for tokens in (0, 1, 4, 5, 6, 7, 8)] == starts
