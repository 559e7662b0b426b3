"""A call of which nobody observes every step takes the same decisions as one that is observed."""

import pytest

import hafta
from hafta.runtime import Runtime
from hafta.testing import FakeRuntime


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
    "run.fail, and its own node": lambda run, work: (run.fail("cannot undo"), work)[1],
    "run.success, and its own node": lambda run, work: (run.success(work), work)[1],
    "run.success, and an exception": lambda run, work: (run.success(work), raise_error(run, work)),
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
def test_what_a_rollback_function_answers_means_the_same_where_nobody_observes_it(answer):
    plain, observed = (outcome(runtime, ANSWERS[answer]) for runtime in (Runtime(), FakeRuntime()))
    assert plain == observed
    assert plain[1][:2] == [("work", 0, 0), ("undo", 7, "bad data")]
