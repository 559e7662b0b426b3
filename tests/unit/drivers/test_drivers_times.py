"""The times that a policy is told: when control came to its node, and now."""

import pytest

import hafta
from hafta.testing import FakeRuntime


def call(sequence, asynchronous):
    runtime = FakeRuntime(clock=100)
    if asynchronous:
        assert runtime.run_async(sequence.call_async(runtime=runtime))
    else:
        assert sequence.call(runtime=runtime)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_since_is_when_control_came_to_the_node_also_by_rolling_back_to_it(asynchronous):
    sequence, told = hafta.Sequence("timed"), []
    failures = iter([True, False])

    def note(run, event):
        told.append((event.node.name, event.kind.name, event.since - 100, event.at - 100))
        if event.kind is hafta.NORMAL_FAIL:
            return hafta.ROLL_BACK_PREVIOUS
        return hafta.default_policy(run, event)

    @sequence.node(policy=note)
    def first(run):
        run.sleep(10)
        return second

    @first.rollback
    def _(run, checkpoint):
        run.sleep(3)

    @sequence.node(policy=note)
    def second(run):
        run.sleep(1)
        return run.fail("no") if next(failures) else hafta.EXIT

    call(sequence, asynchronous)
    assert told == [
        ("first", "NORMAL_SUCCESS", 0, 10),
        ("second", "NORMAL_FAIL", 10, 11),
        ("first", "ROLLBACK_SUCCESS", 11, 14),
        ("first", "NORMAL_SUCCESS", 11, 24),
        ("second", "NORMAL_SUCCESS", 24, 25),
    ]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_since_stays_over_attempts_and_begins_anew_with_a_success_that_names_the_same_node(asynchronous):
    sequence, told = hafta.Sequence("loop"), []

    @sequence.node
    def begin(run):
        run.sleep(5)
        return loop

    @sequence.node
    def loop(run):
        run.sleep(1)
        if len(told) < 2:
            raise ValueError("not yet")
        return loop if len(told) < 3 else hafta.EXIT

    @loop.policy
    def _(run, event):
        if event.kind in {hafta.NORMAL_FAIL, hafta.NORMAL_SUCCESS}:
            told.append((event.since - 100, event.at - 100))
        return hafta.default_policy(run, event)

    call(sequence, asynchronous)
    assert told == [(5, 6), (5, 7), (5, 8), (8, 9)]
