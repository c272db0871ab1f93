"""A time that was set is not acted on at once: somebody may have set it wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kb.clock import FAR, HOLD, JUMP, LONG_HOLD, Steady


@pytest.fixture
def steady():
    return Steady()


def test_a_time_that_runs_is_never_held(steady, now):
    assert not any(steady.held(now + timedelta(seconds=seconds * 1.01), seconds) for seconds in range(0, 7_200, 20)), "clocks are set right in small steps"
    assert steady.jump == timedelta()


def test_a_long_build_between_two_looks_is_no_jump(steady, now):
    assert not steady.held(now, 0.0)
    assert not steady.held(now + timedelta(minutes=30), 1_800.0)


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=3652), timedelta(days=-3652)])
def test_a_time_that_was_set_is_held_until_somebody_could_have_noticed_and_then_counts(steady, now, jump):
    steady.held(now, 0.0)
    held = [steady.held(now + jump + timedelta(seconds=seconds), float(seconds)) for seconds in range(20, 1_300, 20)]
    assert held == [seconds < 20 + HOLD for seconds in range(20, 1_300, 20)]
    assert steady.jump == jump


def test_a_time_that_was_set_right_again_is_held_as_long_once_more(steady, now):
    steady.held(now, 0.0)
    assert steady.held(now + timedelta(hours=1), 20.0)
    assert steady.held(now + timedelta(seconds=300), 300.0)
    assert steady.held(now + timedelta(seconds=700), 700.0), "since the second jump"
    assert not steady.held(now + timedelta(seconds=900), 900.0)


def test_small_steps_are_followed_and_only_more_than_two_minutes_at_once_are_a_jump(steady, now):
    steady.held(now, 0.0)
    assert not steady.held(now + timedelta(seconds=20) + JUMP, 20.0)
    assert steady.held(now + timedelta(seconds=41) + 2 * JUMP, 40.0)


@pytest.mark.parametrize("moved", [timedelta(days=31), timedelta(days=-31)])
def test_what_cannot_be_taken_back_waits_for_a_day_when_the_time_has_jumped_by_more_than_a_month(steady, now, moved):
    steady.held(now, 0.0)
    held = {
        seconds: steady.held(now + moved + timedelta(seconds=seconds), seconds, final=True) for seconds in (20.0, 20.0 + HOLD, 19.0 + LONG_HOLD, 20 + LONG_HOLD)
    }
    assert list(held.values()) == [True, True, True, False]
    assert not steady.held(now + moved + timedelta(seconds=30 + LONG_HOLD), 30 + LONG_HOLD)


def test_what_cannot_be_taken_back_waits_after_a_smaller_jump_as_long_as_everything_else(steady, now):
    steady.held(now, 0.0)
    assert steady.held(now + timedelta(hours=1), 20.0, final=True)
    assert not steady.held(now + timedelta(hours=1, seconds=HOLD), 20.0 + HOLD, final=True)


@pytest.mark.parametrize("away", [FAR, -FAR, timedelta(days=3652), timedelta(days=-3652)])
def test_a_first_look_further_from_what_is_known_than_a_month_is_a_jump(now, away):
    steady = Steady([now, now - away])
    assert steady.held(now, 0.0) == (abs(away) > FAR)
    assert steady.held(now + timedelta(seconds=HOLD), HOLD, final=True) == (abs(away) > FAR)
    assert not steady.held(now + timedelta(seconds=HOLD), HOLD)


def test_a_first_look_by_which_nothing_is_known_counts(steady, now):
    assert not steady.held(now, 0.0, final=True)
