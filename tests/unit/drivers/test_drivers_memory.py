"""A sequence that fails, or goes round, for a year needs no more memory than one that does so for a minute."""

import gc
import sys

import pytest

import hafta
from hafta.engine.failures import KEPT
from hafta.policies import FOREVER, Attempts
from hafta.runtime import Runtime

TIMES = 20_000
ROOM = 1000  # blocks of memory that may come and go


class Watch:
    """What was allocated early on, and how much more it was at the most, looked at now and then."""

    def __init__(self):
        self.early = self.most = 0

    def look(self, count):
        if count == 5 * KEPT:
            self.early = sys.getallocatedblocks()
        elif count > 5 * KEPT and count % 2_000 == 0:
            self.most = max(self.most, sys.getallocatedblocks() - self.early)


@pytest.fixture
def watch():
    gc.disable()  # garbage in cycles would show as growth, too
    yield Watch()
    gc.enable()


def failing(watch, policy, fail):
    sequence, count = hafta.Sequence("failing"), [0]

    @sequence.node(policy=policy)
    def work(run):
        count[0] += 1
        watch.look(count[0])
        if count[0] > TIMES:
            return hafta.EXIT
        if policy is None and run.attempt == 3:
            return work  # before the fifth in a row
        return fail(run)

    return sequence


def by_exception(run):
    raise OSError(5, "broken")


def by_reason(run):
    return run.fail("broken")


@pytest.mark.parametrize("fail", [by_exception, by_reason])
def test_a_node_that_fails_thousands_of_times_fills_no_memory(watch, fail):
    result = failing(watch, None, fail).call(runtime=Runtime())
    assert result
    assert (result.failures, len(result.history)) == (TIMES * 3 // 4, KEPT)
    assert watch.most < ROOM


def test_a_policy_that_never_gives_up_fills_no_memory_either(watch):
    """Nor is it slow: the history is told only to who asks for it."""
    result = failing(watch, Attempts(FOREVER), by_exception).call(runtime=Runtime())
    assert (result.failures, result.history[-1].attempt) == (TIMES, TIMES)
    assert watch.most < ROOM


def test_an_event_tells_of_the_time_when_it_was_asked_however_late_it_is_read():
    sequence, events = hafta.Sequence("late"), []

    @sequence.node
    def work(run):
        return hafta.EXIT if run.attempt == 3 else run.fail(run.attempt)

    @work.policy
    def _(run, event):
        events.append(event)
        return hafta.default_policy(run, event)

    assert sequence.call(runtime=Runtime())
    told = [event for event in events if event.kind is hafta.NORMAL_FAIL]
    assert [[failure.reason for failure in event.failures] for event in told] == [[0], [0, 1], [0, 1, 2]]
    assert [[failure.reason for failure in event.history] for event in told] == [[0], [0, 1], [0, 1, 2]]
    assert (told[0].history is told[0].history, told[0].failures is told[0].failures) == (True, True)


def test_going_round_for_ever_fills_no_memory(watch):
    sequence, count = hafta.Sequence("round"), [0]

    @sequence.node
    def tick(run):
        count[0] += 1
        watch.look(count[0])
        return tock

    tock = sequence.node(name="tock")(lambda run: tick if count[0] < TIMES else hafta.EXIT)
    assert sequence.call(runtime=Runtime())
    assert watch.most < ROOM
