"""An event loop on the clock of a FakeRuntime: when it would wait, time passes at once."""

from __future__ import annotations

import asyncio
import selectors

from hafta.testing.endings import EndlessWait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, Protocol, TypeVar

    class Clock(Protocol):
        """A FakeRuntime, as its loop sees it."""

        clock: float
        endless: list[int]

    T = TypeVar("T")


#: Real seconds that threads and other processes have to end a wait that no task and no clock would end.
PATIENCE = 5.0


class _Selector(selectors.DefaultSelector):
    """Looks at real descriptors, but never waits for time to pass: the clock moves instead."""

    runtime: Clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if ready:
            return ready
        if timeout is None:
            return self._of_others()
        self.runtime.clock += timeout
        return ready

    def _of_others(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what threads and other processes make ready, as no task of this loop will."""
        waiting = self.runtime.endless
        ready = super().select(PATIENCE)
        if not ready:
            raise EndlessWait(f"descriptor {waiting[0]}" if waiting else "what the tasks wait for")
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, runtime: Clock) -> None:
        selector = _Selector()
        selector.runtime = runtime
        super().__init__(selector)
        self.fake_runtime = runtime

    def time(self) -> float:
        return self.fake_runtime.clock


def run(runtime: Clock, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine to its end in such a loop."""
    with asyncio.Runner(loop_factory=lambda: _Loop(runtime)) as runner:
        return runner.run(coroutine)
