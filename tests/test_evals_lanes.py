import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.evals import lanes as lanes_module
from cutaway.evals.lanes import stages
from cutaway.evals.native_scorer import NativeScorer, calls
from cutaway.evals.passage import Passage, continuation
from cutaway.evals.prefix_tree import levels
from cutaway.native import NativeCache
from native_models import SHAPES, calm_model, native_model, needs_kernels

ROWS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=14), min_size=1, max_size=30)


@given(ROWS, st.integers(0, 20))
def test_lanes_read_every_row_to_its_end_from_what_their_slots_hold(rows, most):
    """The slots are simulated: what each holds, run by run."""
    ended: set[int] = set()
    slots: list[list[int]] = []
    before, lanes_module.MOST_IN_A_LANE = lanes_module.MOST_IN_A_LANE, most
    try:
        for lanes in stages(levels(rows)):
            old, slots = slots, []
            for lane in lanes:
                held = [] if lane.parent is None else list(old[lane.parent])
                for run in lane.runs:
                    assert run.start <= len(held)
                    held = held[: run.start] + list(run.tokens)
                    for row in run.rows:
                        assert held == rows[row][: run.end]
                        ended |= {row} if run.end == len(rows[row]) else set()
                assert len(held) <= lane.room
                slots.append(held)
    finally:
        lanes_module.MOST_IN_A_LANE = before
    assert ended == set(range(len(rows)))


@given(ROWS, st.integers(1, 9), st.integers(1, 5))
def test_calls_hold_no_more_than_they_may_and_each_slot_once(rows, tokens, answers):
    passages = [Passage(tokens=[*row, 0], first=len(row)) for row in rows]
    tree = levels(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cutaway.evals.native_scorer.TOKENS_AT_ONCE", tokens)
        patch.setattr("cutaway.evals.native_scorer.ANSWERS_AT_ONCE", answers)
        made = [parts for lanes in stages(tree) for parts in calls(lanes, passages)]
    for parts in made:
        assert len({part.slot for part in parts}) == len(parts)
        assert sum(len(part.tokens) for part in parts) <= tokens
        assert sum(part.answers for part in parts) <= answers
        assert all(part.tokens for part in parts)
    read = sum(len(part.tokens) for parts in made for part in parts)
    assert read == sum(len(run.tokens) for level in tree for run in level)


def test_endings_share_a_lane_and_questions_after_common_examples_have_their_own():
    examples, stems = list(range(10, 20)), [[n, 1, 2, 3, 4] for n in range(30, 40)]
    questions = [[*stem, *ending] for stem in stems for ending in ([5, 6, 7, 8], [6, 7, 8, 9])]
    (alone,) = stages(levels(questions))
    assert [len(lane.runs) for lane in alone] == [3] * 10
    first, second = stages(levels([[*examples, *question] for question in questions]))
    assert [len(lane.runs) for lane in first] == [1]
    assert [(lane.parent, len(lane.runs)) for lane in second] == [(0, 3)] * 10


@needs_kernels
def test_nothing_is_copied_for_a_question_and_its_answers(monkeypatch):
    monkeypatch.setattr(NativeCache, "copy", lambda *_: pytest.fail("a copy was made"))
    context, endings = list(range(20)), [[21, 22, 23], [24, 25], [26, 27, 28, 29], [30]]
    passages = [continuation(context, ending, 33) for ending in endings]
    scorer = NativeScorer(native_model(calm_model(SHAPES["odd"])))
    together = scorer.score(passages)
    for passage, found in zip(passages, together, strict=True):
        np.testing.assert_array_equal(found.logprobs, scorer.score([passage])[0].logprobs)
