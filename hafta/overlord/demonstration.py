"""What --kill and --for ask for: a main process is killed now and then, and the run ends after a time."""

from __future__ import annotations

import os
import signal

from hafta.process.table import kill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.overlord.manager import Manager
    from hafta.overlord.plan import Demonstration
    from hafta.process.loop import Loop


class Killing:
    """Carries out --kill: now and then, the main process of a unit gets SIGKILL."""

    def __init__(self, manager: Manager, loop: Loop, note: Callable[[str], None]) -> None:
        self._manager = manager
        self._loop = loop
        self._note = note

    def plan(self, name: str, seconds: float) -> None:
        """Kill a unit's main process once, about `seconds` from now, and then again."""
        jitter = 0.5 + int.from_bytes(os.urandom(2), "big") / 65536
        self._loop.set_timer(("kill", name), seconds * jitter, lambda: self._kill(name, seconds))

    def _kill(self, name: str, seconds: float) -> None:
        runner = self._manager.runners[name]
        if runner.main and not self._manager.stopping:
            self._note(f"kills {name}, process {runner.main} (--kill)")
            kill(runner.main, signal.SIGKILL)
        self.plan(name, seconds)


def arrange(
    wanted: Demonstration, manager: Manager, loop: Loop, note: Callable[[str], None], stop: Callable[[str], None]
) -> None:
    """Arrange what is asked for."""
    if wanted.duration:
        why = f"it has run for {wanted.duration:g} s (--for)"
        loop.set_timer(("for", ""), wanted.duration, lambda: stop(why))
    killing = Killing(manager, loop, note)
    for name, seconds in wanted.kills.items():
        killing.plan(name, seconds)
