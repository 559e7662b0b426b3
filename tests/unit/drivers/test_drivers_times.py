"""The times that a policy is told: when control came to its node, and now."""

import pytest

import hafta
from hafta.journal.events import RollbackFailed, RolledBack
from hafta.testing import FakeRuntime


def noted(told, back=None):
    """A policy that notes when it is asked: the node, the event, since when, and now."""

    def policy(run, event):
        told.append((event.node.name, event.kind.name, event.since - 100, event.at - 100))
        return hafta.ROLL_BACK_PREVIOUS if event.kind is back else hafta.default_policy(run, event)

    return policy


def test_since_is_when_control_came_to_the_node_also_by_rolling_back_to_it(call):
    sequence, told, failures = hafta.Sequence("timed"), [], ["no"]
    policy = noted(told, back=hafta.NORMAL_FAIL)
    first = sequence.node(name="first", policy=policy)(lambda run: run.sleep(10) or "second")
    first.rollback(lambda run, checkpoint: run.sleep(3))
    sequence.node(name="second", policy=policy)(
        lambda run: run.sleep(1) or (run.fail(failures.pop()) if failures else hafta.EXIT)
    )
    assert call(sequence, FakeRuntime(clock=100))
    assert told == [
        ("first", "NORMAL_SUCCESS", 0, 10), ("second", "NORMAL_FAIL", 10, 11), ("first", "ROLLBACK_SUCCESS", 11, 14),
        ("first", "NORMAL_SUCCESS", 11, 24), ("second", "NORMAL_SUCCESS", 24, 25),
    ]  # fmt: skip


def test_since_stays_over_attempts_and_begins_again_with_a_success_that_names_the_same_node(call):
    sequence, told = hafta.Sequence("loop"), []
    sequence.node(name="begin")(lambda run: run.sleep(5) or "loop")
    ends = iter([False, False, "loop", hafta.EXIT])

    @sequence.node(policy=noted(told))
    def loop(run):
        run.sleep(1)
        return next(ends) or run.fail("not yet")

    assert call(sequence, FakeRuntime(clock=100))
    assert [times for _, kind, *times in told if kind.startswith("NORMAL")] == [[5, 6], [5, 7], [5, 8], [8, 9]]


@pytest.mark.parametrize("outcome", ["returns", "fails", "raises"])
def test_the_report_of_a_rollback_has_how_long_it_took(outcome, call):
    sequence, runtime = hafta.Sequence("timed"), FakeRuntime()

    @sequence.node
    def work(run):
        run.sleep(1)
        return hafta.EXIT if run.attempt else run.fail("no")

    @work.rollback
    def _(run, checkpoint):
        run.sleep(3)
        if outcome == "raises":
            raise OSError("broken")
        return None if outcome == "returns" else run.fail("broken")

    call(sequence, runtime)
    kind = RolledBack if outcome == "returns" else RollbackFailed
    assert [(type(event), event.duration_usec) for event in runtime.events[:1]] == [(kind, 3_000_000)]
