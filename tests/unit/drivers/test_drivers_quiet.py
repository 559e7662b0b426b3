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


def fail_then_return(run, work):
    run.fail("cannot undo")
    return work


def succeed_then_return(run, work):
    run.success(work)
    return work


def succeed_then_raise(run, work):
    run.success(work)
    raise ValueError("again")


def raise_error(run, work):
    raise ValueError("cannot undo")


ANSWERS = {
    "its own node": lambda run, work: work,
    "its own name": lambda run, work: "work",
    "nothing": lambda run, work: None,
    "another node": lambda run, work: "other",
    "the end": lambda run, work: hafta.EXIT,
    "what is no node": lambda run, work: "nowhere",
    "run.success": lambda run, work: run.success(work),
    "run.fail": lambda run, work: run.fail("cannot undo"),
    "an exception": raise_error,
    "run.fail, and its own node": fail_then_return,
    "run.success, and its own node": succeed_then_return,
    "run.success, and an exception": succeed_then_raise,
}


def outcome(runtime, answer):
    """Return what comes of a node whose rollback function answers this, and what it saw."""
    sequence, seen = hafta.Sequence("answers"), []

    @sequence.node
    def work(run):
        seen.append(("work", run.attempt, run.recorded))
        run.checkpoint(7)
        if run.attempt < 2:
            raise ValueError("bad data")
        return hafta.EXIT

    @work.rollback
    def undo(run, checkpoint):
        seen.append(("undo", checkpoint, str(run.reason)))
        return answer(run, work)

    @sequence.node
    def other(run):
        seen.append("other")
        return hafta.EXIT

    try:
        result = sequence.call(runtime=runtime)
    except hafta.IllegalMove as mistake:
        return str(mistake), seen
    return (str(result), [str(failure.reason) for failure in result.history]), seen


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_a_rollback_function_answers_means_the_same_where_nobody_is_told(answer):
    quiet, loud = (outcome(runtime, ANSWERS[answer]) for runtime in (Runtime(quiet=True), FakeRuntime()))
    assert quiet == loud
    assert quiet[1][:2] == [("work", 0, 0), ("undo", 7, "bad data")]
