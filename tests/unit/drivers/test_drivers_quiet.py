"""A quiet runtime reports nothing, spends nothing on it, and takes the same decisions."""

import pytest

import hafta
from hafta.runtime import Runtime
from hafta.testing import FakeRuntime


class QuietRuntime(Runtime):
    def __init__(self):
        super().__init__(quiet=True)
        self.events = []

    def report(self, event):
        self.events.append(event)


def ladder():
    """Two nodes: the second always fails, so that unwinding is needed to come back to the first."""
    sequence = hafta.Sequence("ladder")
    visits = []

    @sequence.node
    def first(run):
        visits.append("first")
        return second

    @first.rollback
    def _(run, checkpoint):
        return run.fail("no way back")

    @sequence.node
    def second(run):
        visits.append("second")
        raise ValueError("never")

    @second.rollback
    def _(run, checkpoint):
        visits.append("undo second")

    return sequence, visits


def test_a_quiet_runtime_unwinds_as_any_other_does():
    sequence, visits = ladder()
    result = sequence.call(runtime=Runtime(quiet=True))
    assert not result
    assert visits == ["first", *["second", "undo second"] * 5]
    loud, loud_visits = ladder()
    assert str(loud.call(runtime=FakeRuntime())) == str(result)
    assert loud_visits == visits


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_quiet_runtime_reports_no_rollback_but_the_end(asynchronous):
    sequence, _ = ladder()
    runtime = QuietRuntime()
    if asynchronous:
        FakeRuntime().run_async(sequence.call_async(runtime=runtime))
    else:
        sequence.call(runtime=runtime)
    assert [event.NAME for event in runtime.events] == ["sequence-failed"]
