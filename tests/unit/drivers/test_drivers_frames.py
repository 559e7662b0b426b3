"""What a failed attempt held in its local variables is free before the next attempt begins."""

import socket
import traceback
import weakref
from dataclasses import dataclass

import pytest

import hafta
from hafta.runtime import Runtime
from hafta.testing import FakeRuntime


class Held:
    """Something that is in use as long as anybody refers to it."""


def raised(run, held):
    raise OSError(5, "broken")


def raised_from(run, held):
    try:
        raised(run, held)
    except OSError as error:
        raise ValueError("worse") from error


def raised_while_handling(run, held):
    try:
        raised(run, held)
    except OSError:
        raise ValueError("worse")  # noqa: B904 - what people write


def reported(run, held):
    try:
        raised(run, held)
    except OSError as error:
        return run.fail(error)


def raised_in_a_group(run, held):
    try:
        raised(run, held)
    except OSError as error:
        raise ExceptionGroup("several", [error]) from None


@dataclass(frozen=True)
class Frozen(Exception):
    """Refuses every assignment, that of its traceback, too."""

    code: int


def raised_frozen(run, held):
    raise Frozen(7)


class NotAGroup(Exception):
    """Has an attribute of the same name as a group's."""

    exceptions = None


def raised_from_with_exceptions_of_its_own(run, held):
    raise NotAGroup from Frozen(7)


inner = hafta.Sequence("inner")


@inner.node
def deep(run):
    raised(run, run.data)


def failed_within(run, held):
    run.call(inner, held)


WAYS = [
    raised, raised_from, raised_while_handling, reported, raised_in_a_group, raised_frozen,
    raised_from_with_exceptions_of_its_own, failed_within,
]  # fmt: skip


def failing_three_times(way, alive, *, undone=False):
    """A sequence whose node notes, at each attempt, how many of the earlier attempts' objects are still alive."""
    sequence = hafta.Sequence("holder")
    made = []

    @sequence.node
    def work(run):
        alive.append(sum(ref() is not None for ref in made))
        held = Held()
        made.append(weakref.ref(held))
        return hafta.EXIT if len(made) > 3 else way(run, held)

    if undone:
        work.rollback(lambda run, checkpoint: work)
    return sequence


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("undone", [False, True])
def test_the_frames_of_an_attempt_are_gone_before_the_next_one(way, undone):
    alive = []
    assert failing_three_times(way, alive, undone=undone).call(runtime=Runtime())
    assert alive == [0, 0, 0, 0]


@pytest.mark.parametrize("way", WAYS[:-1])
def test_the_frames_of_an_attempt_are_gone_before_the_next_one_in_asyncio(way):
    alive = []
    runtime = FakeRuntime()
    assert runtime.run_async(failing_three_times(way, alive).call_async(runtime=runtime))
    assert alive == [0, 0, 0, 0]


def test_a_node_may_bind_the_address_again_that_its_failed_attempt_had_bound():
    sequence = hafta.Sequence("bind")

    @sequence.node
    def work(run):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"\0hafta-frames-test-{id(sequence)}")
        listener.listen()
        if run.attempt == 0:
            raise ConnectionError("no peer")
        listener.close()
        return hafta.EXIT

    with pytest.warns(ResourceWarning, match="unclosed"):
        result = sequence.call(runtime=Runtime())
    assert [type(failure.reason) for failure in result.history] == [ConnectionError]


def test_frames_of_rollback_functions_that_fail_while_unwinding_are_let_go():
    sequence, made, alive = hafta.Sequence("climb"), [], []

    @sequence.node
    def base(run):
        alive.append(sum(ref() is not None for ref in made))
        return top if len(alive) < 3 else hafta.EXIT

    top = sequence.node(name="top", policy=lambda run, event: hafta.ROLL_BACK_PREVIOUS)(lambda run: run.fail("no"))

    @top.rollback
    def _(run, checkpoint):
        held = Held()
        made.append(weakref.ref(held))
        raised(run, held)

    assert sequence.call(runtime=Runtime())
    assert (len(made), alive) == (2, [0, 0, 0])


def test_the_failure_that_a_sequence_ends_with_keeps_its_traceback():
    sequence = hafta.Sequence("end")
    sequence.node(name="work")(lambda run: raised(run, None))
    result = sequence.call(runtime=Runtime())
    frames = [frame.f_code.co_name for frame, _ in traceback.walk_tb(result.reason.__traceback__)]
    assert frames[-2:] == ["<lambda>", "raised"]
    assert [failure.reason.__traceback__ is None for failure in result.history] == [True] * 4 + [False]


def test_an_exception_that_the_caller_is_handling_keeps_its_traceback():
    alive, mine = [], []
    try:
        raised(None, None)
    except OSError as error:
        failing_three_times(raised, alive).call(runtime=Runtime())
        mine.append(error)
    assert mine[0].__traceback__ is not None
    assert alive == [0, 0, 0, 0]
