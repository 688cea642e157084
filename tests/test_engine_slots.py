"""Places for keys and values: what newcomers take over, what is kept, and what it may cost."""

from hypothesis import given
from hypothesis import strategies as st

from cutaway.engine.prefix import shared_prefix
from cutaway.engine.slots import Slots
from scripted import ScriptedRunner


def make(count=3, max_tokens=100, context=32):
    runner = ScriptedRunner(count, context)
    return Slots(runner, count, max_tokens), runner


def read(slots, runner, window, room=None, *, more=(), **options):
    """Claim a place for a window, read what is missing, and write some more."""
    slot = slots.claim(list(window), room or len(window) + len(more), **options)
    unread = [*window[len(slot.tokens) :], *more]
    runner.read([slot.index], [unread], [0])
    slot.tokens.extend(unread)
    return slot


def test_a_newcomer_copies_what_a_running_text_begins_with():
    slots, runner = make()
    first = read(slots, runner, [1, 2, 3, 4])
    second = slots.claim([1, 2, 3, 9, 9], 8)
    assert second is not first
    assert (second.tokens, runner.copies, slots.tokens_reused) == ([1, 2, 3], [(0, 1, 3)], 3)


def test_the_last_token_is_never_taken_over():
    slots, runner = make()
    read(slots, runner, [1, 2, 3, 4])
    assert slots.claim([1, 2, 3], 5).tokens == [1, 2]


def test_the_longest_beginning_wins():
    slots, runner = make(5)
    for window in ([1, 9], [1, 2, 3], [1, 2]):
        read(slots, runner, window)
    assert slots.claim([1, 2, 3, 4], 6).tokens == [1, 2, 3]


def test_a_finished_text_that_goes_on_is_taken_over_in_place():
    slots, runner = make()
    first = read(slots, runner, [1, 2], more=[3, 4])
    slots.release(first)
    assert slots.claim([1, 2, 3, 4, 5], 9) is first
    assert (first.tokens, runner.copies) == ([1, 2, 3, 4], [])


def test_a_finished_text_that_goes_on_otherwise_is_copied_and_kept():
    slots, runner = make()
    first = read(slots, runner, [1, 2], more=[3, 4])
    slots.release(first)
    second = slots.claim([1, 2, 7], 9)
    assert second is not first
    assert (first.tokens, second.tokens) == ([1, 2, 3, 4], [1, 2])


def test_without_an_empty_place_the_least_recently_used_text_goes():
    slots, runner = make()
    for window in ([1], [2], [3]):
        slots.release(read(slots, runner, window))
    slots.release(read(slots, runner, [1, 5]))
    assert slots.claim([8, 9], 4).index == 1
    assert [slot.tokens for slot in slots._slots] == [[1, 5], [], [3]]


def test_the_text_that_has_to_go_leaves_its_beginning():
    slots, runner = make(1)
    slots.release(read(slots, runner, [1, 2, 3, 4]))
    assert slots.claim([1, 2, 9], 5).tokens == [1, 2]
    assert runner.held == [[1, 2]]


def test_running_texts_are_never_pushed_out():
    slots, runner = make(2)
    first, second = read(slots, runner, [1]), read(slots, runner, [2])
    assert slots.claim([3], 2) is None
    slots.release(second)
    assert slots.claim([3], 2) is second
    assert first.tokens == [1]


def test_what_is_promised_never_exceeds_the_limit():
    slots, runner = make(max_tokens=10)
    first = read(slots, runner, [1], room=6)
    assert slots.claim([2], 5) is None
    assert slots.claim([2], 4) is not None
    assert slots.held_tokens == 10
    slots.release(first)
    assert slots.held_tokens == 5


def test_finished_texts_go_when_their_tokens_are_needed_the_oldest_first():
    slots, runner = make(max_tokens=10)
    for window in ([1, 1, 1], [2, 2, 2]):
        slots.release(read(slots, runner, window))
    slots.claim([3], 6)
    assert runner.held == [[], [2, 2, 2], []]
    assert slots.held_tokens == 9


def test_a_text_may_be_asked_not_to_take_anything_over():
    slots, runner = make()
    read(slots, runner, [1, 2, 3])
    assert slots.claim([1, 2, 3], 5, reuse=False).tokens == []
    assert slots.tokens_reused == 0


def test_a_fork_holds_all_that_its_source_does():
    slots, runner = make()
    source, target = read(slots, runner, [1, 2, 3]), slots.claim([1], 5, reuse=False)
    slots.fork(source, target)
    assert runner.held[target.index] == target.tokens == [1, 2, 3]
    target.tokens.append(4)
    assert source.tokens == [1, 2, 3]


def test_a_window_that_moves_keeps_what_still_fits():
    slots, runner = make()
    slot = read(slots, runner, [1, 1, 1, 2])
    slots.keep(slot, [1, 1, 2, 3])
    assert runner.held[slot.index] == slot.tokens == [1, 1]


texts = st.lists(st.integers(0, 1), max_size=6)


@given(texts, texts)
def test_a_shared_prefix_is_shared_and_could_not_be_longer(one, other):
    shared = shared_prefix(one, other)
    assert one[:shared] == other[:shared]
    assert shared == min(len(one), len(other)) or one[shared] != other[shared]


windows = st.lists(st.integers(0, 1), min_size=1, max_size=10)


@given(st.lists(st.tuples(windows, st.integers(0, 3), st.integers(0, 7)), max_size=40))
def test_what_slots_believe_is_what_the_runner_holds(visits):
    slots, runner = make(4, max_tokens=30)
    running = []
    for window, more, leaves in visits:
        if leaves < len(running):
            slots.release(running.pop(leaves))
        slot = slots.claim(window, len(window) + more)
        if slot is not None:
            unread = window[len(slot.tokens) :]
            assert len(unread) > 0
            runner.read([slot.index], [unread], [0])
            slot.tokens.extend(unread)
            running.append(slot)
        assert [slot.tokens for slot in slots._slots] == runner.held
        assert sum(map(len, runner.held)) <= slots.held_tokens <= 30
