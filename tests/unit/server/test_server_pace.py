"""When records are due: on a steady grid, with nothing made up for."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hafta.server.pace import Pace


def test_the_first_record_is_due_at_once_and_after_a_stall_the_missed_turns_are_left_out():
    assert Pace(1.0, start=50.0).delay(50.0) == 0
    pace = Pace(1.0, start=0.0)
    pace.written(7.25)
    assert pace.delay(7.25) == 0.75
    pace.written(8.0)
    assert pace.delay(8.0) == 1.0


@pytest.mark.parametrize("interval", [5e-324, 1e-9, 1e300])
def test_no_interval_is_too_short_or_too_long(interval: float):
    pace = Pace(interval, start=1.0)
    pace.written(1e6)
    assert pace.delay(1e6) >= 0


def test_the_time_that_writing_takes_adds_up_to_no_drift():
    pace, now = Pace(1.0, start=0.0), 0.0
    for _ in range(1000):
        now += pace.delay(now) + 0.3
        pace.written(now)
    assert now + pace.delay(now) == 1000.0


@given(some.floats(1e-6, 1e6), some.floats(0, 1e9), some.lists(some.floats(0, 1e4), max_size=30))
def test_never_two_records_in_one_turn(interval: float, start: float, works: list[float]):
    pace, now, turns = Pace(interval, start), start, []
    for work in works:
        now += pace.delay(now)
        turns.append(pace._turn)
        now += work
        pace.written(now)
    assert turns == sorted(set(turns))
