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
    from hafta.engine.node import Node


async def drive(conductor: Conductor) -> None:
    """Run the call to its end, as the synchronous driver does. A cancelled task is cancelled, not a failure."""
    machine = conductor.machine
    while True:
        phase = machine.phase
        if phase is Phase.NORMAL:
            await _run_normal(conductor)
        elif phase is Phase.ASK:
            await _ask(conductor)
        elif phase is Phase.ROLLBACK or phase is Phase.UNWIND:
            await _roll_back(conductor)
        elif phase is Phase.UNWOUND:
            machine.go_on()
            conductor.moved()
            if conductor.owes and not await take_up(conductor, conductor.owed()):
                return
        else:
            return


async def take_up(conductor: Conductor, nodes: list[Node]) -> bool:
    """Run these nodes again, each until it succeeds; False if one has failed, which ends the call."""
    at = 0
    while 0 <= at < len(nodes):
        inner = conductor.taking_up(nodes[at])
        await drive(inner)
        at = conductor.taken_up(nodes, at, inner)
    if at >= 0:
        conductor.taken_up_all()
    return at >= 0


async def _run_normal(conductor: Conductor) -> None:
    if conductor.released != conductor.machine.failed:
        conductor.release()
    node, cancelled = conductor.machine.node, _cancelled()
    timer = asyncio.timeout(node.timeout)
    try:
        conductor.entering(node)
        async with timer:
            answer = _begin(conductor, node.normal_function)
            if conductor.run.awaits:
                answer = await answer
    except TimeoutError as error:
        conductor.failed(took_too_long(node) if timer.expired() else error)
    except Exception as error:
        _failed(conductor, error, cancelled)
    else:
        conductor.ended(answer)


async def _ask(conductor: Conductor) -> None:
    machine = conductor.machine
    asked = conductor.asked() if conductor.probe is not None else None
    policy = machine.node.policy_function
    if policy is None:
        machine.decide_by_default()
    else:
        event = conductor.event()
        verdict = _begin(conductor, policy, event)
        machine.decide(await verdict if conductor.run.awaits else verdict, event.at)
    conductor.decided(asked)
    if machine.delay:
        await conductor.runtime.asleep(conductor.take_delay())


async def _roll_back(conductor: Conductor) -> None:
    cancelled = _cancelled()
    try:
        answer = _begin(conductor, conductor.rolling_back(), conductor.machine.checkpoint)
        if conductor.run.awaits:
            answer = await answer
    except Exception as error:
        _failed(conductor, error, cancelled)
    else:
        conductor.ended(answer)


def _failed(conductor: Conductor, error: Exception, cancelled: int) -> None:
    """End the function with what escaped it, unless that took the place of the cancellation of the task."""
    if _cancelled() > cancelled and _hides_cancellation(error):
        raise asyncio.CancelledError from error
    conductor.failed(error)


def _cancelled() -> int:
    """Return how often somebody has asked the task to end."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _hides_cancellation(error: BaseException | None) -> bool:
    """Tell whether this was raised while a cancellation was cleaned up after, and not in answer to it.

    A TimeoutError is an answer: libraries from before Python 3.11 cancel the task for it, and never take that back.
    """
    while error is not None and not isinstance(error, (asyncio.CancelledError, TimeoutError)):
        error = None if error.__suppress_context__ else error.__context__
    return isinstance(error, asyncio.CancelledError)


def _begin(conductor: Conductor, function: Callable[..., Any], *args: Any) -> Any:
    """Run a plain function, or begin one whose answer is to be awaited: then `run.awaits`.

    What a plain one waits for blocks: it could not await it. No coroutine, which a StopIteration cannot leave as such.
    """
    run = conductor.run
    run.awaits = False
    answer = function(run, *args)
    run.awaits = hasattr(answer, "__await__")  # the body of an `async def` begins when it is awaited
    return answer
