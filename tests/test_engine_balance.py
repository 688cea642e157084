"""Guessing rests while it loses, and goes on while it pays."""

import pytest

from cutaway.engine.balance import LONGEST_REST, LOSS, TRIAL, Balance


def rests_of(steps, took_s, gained_s=0.0):
    """Whether each of some steps was one of rest; any other takes so long, where 1 s would do, and gains so much."""
    balance, rests = Balance(), []
    for number in range(steps):
        rests.append(balance.rests())
        if not rests[-1]:
            balance.took(took_s(number) if callable(took_s) else took_s, 1.0)
            balance.gained(gained_s)
    return rests


def runs_of(rests):
    """How many steps were alike in a row, again and again."""
    changes = [i for i in range(1, len(rests)) if rests[i] != rests[i - 1]]
    return [after - before for before, after in zip([0, *changes], changes, strict=False)]


@pytest.mark.parametrize(("took_s", "gained_s"), [(1.0, 0.0), (LOSS - 0.001, 0.0), (1.5, 0.6)])
def test_what_does_not_lose_goes_on(took_s, gained_s):
    assert not any(rests_of(10 * TRIAL, took_s, gained_s))


def test_what_loses_rests_for_longer_each_time_up_to_a_limit():
    rests = rests_of(40 * TRIAL, 1.2, 0.1)
    assert runs_of(rests)[:7] == [TRIAL, TRIAL, TRIAL, 2 * TRIAL, TRIAL, 4 * TRIAL, TRIAL]
    assert max(runs_of(rests)) == LONGEST_REST == 8 * TRIAL


def test_after_a_trial_that_has_paid_a_loss_costs_the_shortest_rest_again():
    rests = rests_of(20 * TRIAL, lambda number: 2.0 if number // TRIAL in (0, 2, 6) else 0.5)
    # Lost, rested, lost, rested twice as long, paid, lost and rested as at first.
    assert runs_of(rests)[:6] == [TRIAL, TRIAL, TRIAL, 2 * TRIAL, 2 * TRIAL, TRIAL]


def test_one_slow_step_among_many_decides_nothing():
    assert not any(rests_of(4 * TRIAL, lambda number: 1.5 if number == 3 else 1.0))
