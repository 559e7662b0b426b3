"""The asyncio driver: the same loop, awaiting what is awaitable. Plain functions work in it, too."""

from __future__ import annotations

import asyncio

from hafta.drivers.run import took_too_long
from hafta.engine.machine import Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.drivers.conductor import Conductor
    from hafta.engine.words import PolicyEvent


async def drive(conductor: Conductor) -> None:
    """Run the call to its end, as the synchronous driver does. A cancelled task is cancelled, not a failure."""
    machine = conductor.machine
    cancelled = cancellations()
    while True:
        phase = machine.phase
        if phase is Phase.NORMAL:
            await _run_normal(conductor, cancelled)
        elif phase is Phase.ASK:
            await _ask(conductor)
        elif phase is Phase.ROLLBACK or phase is Phase.UNWIND:
            await _roll_back(conductor, cancelled)
        elif phase is Phase.UNWOUND:
            conductor.go_on()
        else:
            return


async def _run_normal(conductor: Conductor, cancelled: int) -> None:
    conductor.release()
    node = conductor.machine.node
    timer = asyncio.timeout(node.timeout)
    try:
        conductor.entering()
        async with timer:
            answer = _begin(conductor, node.normal_function)
            if conductor.run.awaits:
                answer = await answer
    except TimeoutError as error:
        conductor.failed(took_too_long(conductor.machine) if timer.expired() else error)
    except (Exception, asyncio.CancelledError) as error:
        _failed(conductor, error, cancelled)
    else:
        conductor.ended(answer)


async def _ask(conductor: Conductor) -> None:
    machine = conductor.machine
    policy = conductor.policy()
    if policy is None:
        machine.decide_by_default()
    else:
        event = conductor.event()
        machine.decide(await _answer(conductor, policy, event), event.at)
    conductor.moved()
    if machine.delay:
        await conductor.runtime.asleep(machine.take_delay())


async def _answer(conductor: Conductor, policy: Callable[..., Any], event: PolicyEvent) -> Any:
    """Return what the policy says. Raises NodeTimeout if it does not in time."""
    verdict = _begin(conductor, policy, event)
    if not conductor.run.awaits:
        return verdict
    timer = asyncio.timeout(conductor.machine.node.policy_timeout)
    try:
        async with timer:
            return await verdict
    except TimeoutError as error:
        if not timer.expired():
            raise
        raise took_too_long(conductor.machine) from error


async def _roll_back(conductor: Conductor, cancelled: int) -> None:
    timer = asyncio.timeout(conductor.machine.node.rollback_timeout)
    try:
        undo = conductor.undoing()
        async with timer:
            answer = _begin(conductor, undo, conductor.machine.checkpoint)
            if conductor.run.awaits:
                answer = await answer
    except TimeoutError as error:
        conductor.failed(took_too_long(conductor.machine) if timer.expired() else error)
    except (Exception, asyncio.CancelledError) as error:
        _failed(conductor, error, cancelled)
    else:
        conductor.ended(answer)


def _failed(conductor: Conductor, error: Exception | asyncio.CancelledError, cancelled: int) -> None:
    """End the function with what escaped it, unless somebody has cancelled the task.

    Only a cancellation of this task counts in task.cancelling(), not one of something that the function waited for.
    An exception that was raised while the function cleaned up may hide it.
    """
    if cancellations() > cancelled and _comes_from_cancellation(error):
        if isinstance(error, asyncio.CancelledError):
            raise error
        raise asyncio.CancelledError from error
    conductor.failed(error)


def cancellations() -> int:
    """Return how often somebody has asked the task to end."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _comes_from_cancellation(error: BaseException | None) -> bool:
    """Return whether this is a cancellation, or was raised while cleaning up after one, and not in answer to it.

    A TimeoutError is an answer: libraries from before Python 3.11 cancel the task for it, and never undo that.
    """
    while error is not None and not isinstance(error, (asyncio.CancelledError, TimeoutError)):
        error = None if error.__suppress_context__ else error.__context__
    return isinstance(error, asyncio.CancelledError)


def _begin(conductor: Conductor, function: Callable[..., Any], *args: Any) -> Any:
    """Run a plain function, or begin one whose answer is to be awaited: then `run.awaits` is true.

    A plain function cannot await, so its waits block. This is not a coroutine: a StopIteration could not leave one.
    """
    run = conductor.run
    run.awaits = False
    answer = function(run, *args)
    run.awaits = hasattr(answer, "__await__")  # the body of an `async def` begins when it is awaited
    return answer
