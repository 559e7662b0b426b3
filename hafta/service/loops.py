"""An event loop that a stop ends like every wait: the task of the call is cancelled, and then Stop is raised.

Rules:

1. From before the loop exists until after it is closed, a signal raises nothing here (signals.py, rule 5).
2. If a signal comes while the loop runs, it cancels the task. If it comes before, the task never begins. If it comes
   after, it is remembered.
3. After the loop was closed, a request to stop that came until then is raised as Stop, however the task ended. There is
   one exception: if the cancelled task ended with an error, that error is raised, as it is without a loop.
"""

from __future__ import annotations

import asyncio

from hafta.service.signals import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, TypeVar

    T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine as asyncio.run() does. Raises Stop when the service is to stop."""
    main = _Main()
    try:
        if request.taken:  # the service is stopping: its clean-up may still make calls
            main.begun = True
            return asyncio.run(coroutine)
        with main:
            return asyncio.run(main.run(coroutine))
    finally:
        if not main.begun:
            coroutine.close()  # otherwise Python would warn that it was never awaited


class _Main:
    """The main task of the loop. Inside its context, a signal cancels it."""

    def __init__(self) -> None:
        self.begun = False
        self._task: asyncio.Task[Any] | None = None

    def __enter__(self) -> None:
        request.cancel = self.cancel

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        request.cancel = None  # from here on a signal raises Stop itself
        ended = error is None or isinstance(error, asyncio.CancelledError)
        if request.signum and (ended or not request.taken):
            raise request.stop() from error

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine in this task."""
        self._task = asyncio.current_task()
        if request.signum:
            raise asyncio.CancelledError
        self.begun = True
        return await coroutine

    def cancel(self) -> None:
        """Cancel the task, if it has begun."""
        if self._task is not None:
            self._task.cancel()
