"""What passes and failures mean, as the table in hafta/guard/health.py has it; and the arithmetic of the watchdog."""

import pytest

from hafta.guard.arithmetic import SPACING, answered_within, watchdog_for
from hafta.guard.health import Health

#: A row of rounds (+ passes, - fails) and what each means, with three failures allowed.
STORIES = {
    "---+": "WAIT WAIT WAIT READY",
    "++": "READY PASSING",
    "+-+": "READY TOLERATED PASSING",
    "+--+--+": "READY TOLERATED TOLERATED PASSING TOLERATED TOLERATED PASSING",
    "+---": "READY TOLERATED TOLERATED FAILED",
    "+-----": "READY TOLERATED TOLERATED FAILED STILL STILL",
    "+---+": "READY TOLERATED TOLERATED FAILED RECOVERED",
    "+---+---": "READY TOLERATED TOLERATED FAILED RECOVERED TOLERATED TOLERATED FAILED",
}


@pytest.mark.parametrize("story", STORIES)
def test_a_row_of_rounds_means_what_the_table_says(story):
    health = Health(3)
    assert [health.judge("" if sign == "+" else "why").name for sign in story] == STORIES[story].split()
    assert health.reason == ("why" if "-" in story else "")


def test_one_failure_may_be_enough():
    health = Health(1)
    assert [health.judge(reason).name for reason in ("", "x", "x")] == ["READY", "FAILED", "STILL"]
    assert health.is_failing


@pytest.mark.parametrize(("interval", "timeout", "failures"), [(1, 1, 3), (0.1, 0.1, 1), (10, 2, 2), (0.5, 5, 4)])
def test_a_watchdog_never_runs_out_before_the_last_failure_that_is_allowed(interval, timeout, failures):
    """A naive guard: pings when it may, passes for some time, then fails each round as slowly as it can."""
    period, step = watchdog_for(interval, timeout, failures), max(interval, timeout)
    for passes in range(200):
        now = last = 0.0
        for _ in range(passes):
            now += step
            last = now if now - last >= period * SPACING else last
        assert now + (failures + 1) * step - last < period * 0.8, "a part of it is left for a machine that stalls"
    assert answered_within(interval, timeout, failures) <= (failures + 1) * step
