"""When the watchdog is fed: often enough for it, seldom enough for us."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hafta.systemd.watchdog import Watchdog

PID = 4711


def watchdog(usec="10000000", pid=None):
    return Watchdog({"WATCHDOG_USEC": usec} | ({} if pid is None else {"WATCHDOG_PID": pid}), PID)


@pytest.mark.parametrize("pid", [None, str(PID)])
def test_the_period_is_that_of_the_overlord_and_a_wait_is_at_most_a_quarter(pid):
    dog = watchdog(pid=pid)
    assert (dog.period, dog.slice, dog.complaint) == (10.0, 2.5, None)


@pytest.mark.parametrize("environ", [{}, {"WATCHDOG_PID": str(PID)}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "12"}])
def test_without_a_period_or_for_another_process_there_is_no_watchdog(environ):
    dog = Watchdog(environ, PID)
    assert (dog.period, dog.slice, dog.complaint) == (None, None, None)
    assert not dog.due(1e18)


def test_the_first_progress_pings_and_then_once_in_half_a_period():
    dog = watchdog()
    assert [time for time in range(100, 121) if dog.due(time)] == [100, 105, 110, 115, 120]


def test_a_late_ping_does_not_bring_the_next_forward():
    dog = watchdog()
    assert dog.due(100)
    assert dog.due(109)
    assert not dog.due(113.9)
    assert dog.due(114)


@pytest.mark.parametrize("usec", ["", "0", "-1", "1.5", " 1", "ten", "٣", "18446744073709551615", "9" * 5000])
def test_a_malformed_period_is_no_watchdog_and_is_complained_of(usec):
    dog = watchdog(usec)
    assert dog.period is None
    reason = f"{usec!r} is not a whole number from 1 to 18446744073709551614"
    assert dog.complaint == ("WATCHDOG_USEC", reason)
    assert not dog.due(1e18)


@pytest.mark.parametrize("pid", ["", "0", "-1", "x", "2147483648"])
def test_a_malformed_pid_is_no_watchdog_and_is_complained_of(pid):
    dog = watchdog(pid=pid)
    assert dog.period is None
    assert dog.complaint == ("WATCHDOG_PID", f"{pid!r} is not a whole number from 1 to 2147483647")


@settings(deadline=None)
@given(st.integers(1, 10**12), st.lists(st.floats(0, 0.25), min_size=1, max_size=200))
def test_with_progress_in_every_slice_pings_keep_a_quarter_of_the_period_in_hand(usec, steps):
    """And there are never more than two in a period. Steps are fractions of it."""
    dog = watchdog(str(usec))
    now, pings = 0.0, []
    for step in [0.0, *steps]:
        now += step * dog.period
        if dog.due(now):
            pings.append(now)
    gaps = [after - before for before, after in zip(pings, [*pings[1:], now], strict=True)]
    assert max(gaps) <= 0.75 * dog.period * (1 + 1e-9)
    assert all(gap >= 0.5 * dog.period * (1 - 1e-9) for gap in gaps[:-1])
