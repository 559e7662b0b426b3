"""A reason is found wherever it is: in groups, in causes, in the result of an inner sequence."""

import asyncio

import pytest
from policy_events import decide, event

import hafta
from hafta import FAIL_SEQUENCE, INTERRUPTED, PANIC, ROLL_BACK_CURRENT, Result, SequenceFailed
from hafta.policies import Attempts, FailSequence, On, Panic, reasons_in
from hafta.testing import FakeRuntime

DENIED = PermissionError(13, "denied")


def because(cause, error=None):
    error = RuntimeError("it did not work") if error is None else error
    error.__cause__ = cause
    return error


def while_handling(context):
    error = RuntimeError("it did not work")
    error.__context__ = context
    return error


def inner(reason):
    return Result("inner", ok=False, node="n", reason=reason)


def group(*members):
    return ExceptionGroup("unhandled errors in a TaskGroup", members)


def circle():
    first, second = ValueError(1), ValueError(2)
    first.__cause__, second.__cause__ = second, first
    return first


def deep(number):
    error = DENIED
    for at in range(number):
        error = because(error) if at % 2 else group(error)
    return error


HOLDING = {
    "itself": DENIED,
    "a member": group(ValueError(), DENIED),
    "a member of a member": group(group(group(DENIED)), ValueError()),
    "a cause": because(DENIED),
    "a cause of a cause": because(because(because(DENIED))),
    "a cause of a member": group(because(DENIED)),
    "a member of a cause": because(group(DENIED)),
    "a cause of a group": because(DENIED, group(ValueError())),
    "of an inner sequence": inner(DENIED),
    "of an inner sequence's inner one": inner(inner(DENIED)),
    "of an inner sequence in a task": group(SequenceFailed(inner(DENIED))),
    "very deep": deep(5000),
}
NOT_HOLDING = {
    "nothing": None,
    "a number": 13,
    "another": OSError(),
    "text": "PermissionError",
    "what was being handled": while_handling(DENIED),
    "a circle": circle(),
    "of an inner sequence": inner("no"),
    "the type itself": PermissionError,
}


@pytest.mark.parametrize("kind", [hafta.NORMAL_FAIL, INTERRUPTED])
@pytest.mark.parametrize("reason", HOLDING.values(), ids=HOLDING)
def test_an_exception_is_seen_wherever_it_is_in_the_reason(reason, kind):
    assert decide(FailSequence(PermissionError), event(kind, reason=reason)) is FAIL_SEQUENCE
    assert decide(Panic((KeyError, OSError)), event(kind, reason=reason)) is PANIC
    assert decide(FailSequence(BlockingIOError), event(kind, reason=reason)) is ROLL_BACK_CURRENT


@pytest.mark.parametrize("reason", NOT_HOLDING.values(), ids=NOT_HOLDING)
def test_what_is_not_there_is_not_seen(reason):
    assert decide(FailSequence(PermissionError), event(reason=reason)) is ROLL_BACK_CURRENT


@pytest.mark.parametrize(
    ("what", "reason", "verdict"),
    [
        (ExceptionGroup, group(ValueError()), FAIL_SEQUENCE),
        (SequenceFailed, inner("no"), FAIL_SEQUENCE),
        (Exception, group(ValueError()), FAIL_SEQUENCE),
        (Exception, inner(ValueError()), FAIL_SEQUENCE),
        (Exception, inner("no"), ROLL_BACK_CURRENT),
        (BaseException, BaseExceptionGroup("g", [ValueError()]), FAIL_SEQUENCE),
        (hafta.HaftaError, inner("no"), ROLL_BACK_CURRENT),
    ],
)
def test_what_wraps_others_is_of_its_own_kind_only(what, reason, verdict):
    assert decide(FailSequence(what), event(reason=reason)) is verdict


def test_a_function_is_asked_about_the_reason_as_it_is_and_may_look_into_it():
    asked = []
    reason = inner(101)
    decide(On(asked.append, PANIC), event(reason=reason))
    assert asked == [reason]
    assert decide(FailSequence(lambda reason: 101 in reasons_in(reason)), event(reason=reason)) is FAIL_SEQUENCE


def test_what_is_in_a_reason_comes_nearest_first_and_once():
    cause, a, b = KeyError(), ValueError(), OSError()
    both = because(cause, group(because(cause, a), b))
    assert list(reasons_in(both)) == [both, a, b, cause]
    assert list(reasons_in(7)) == [7]


def test_a_task_group_and_an_inner_sequence_fail_for_their_tasks_reason():
    sequence, deeper = hafta.Sequence("outer"), hafta.Sequence("deeper")

    @deeper.node(policy=Attempts(1))
    async def ask(run):
        raise RuntimeError("cannot ask") from DENIED

    @sequence.node(policy=Attempts(9) | FailSequence(PermissionError))
    async def work(run):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.sleep(9))
            tasks.create_task(run.call(deeper))

    result = sequence.call(runtime=FakeRuntime())
    assert (result.node, result.attempt) == ("work", 1)
