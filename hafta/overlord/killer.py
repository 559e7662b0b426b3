"""Sending signals to the processes of a unit, as KillMode= says."""

from __future__ import annotations

import signal
import time

from hafta.process.table import kill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.overlord.context import Context
    from hafta.units.unit import Unit

KILL_PATIENCE = 5.0  # seconds in which SIGKILL must have worked, before it is sent again
LOOKING = 1.0  # seconds that are spent on processes forked meanwhile: one that forks for ever must not hold us up


class Killer:
    """Ends the processes of a unit. `own` returns its main and its control process: both get each signal."""

    def __init__(self, unit: Unit, context: Context, own: Callable[[], tuple[int, int]]) -> None:
        self.kills = 0  # how often SIGKILL was sent to all
        self.signalled = 0.0  # when the reload signal was sent, by the monotonic clock
        self._unit = unit
        self._context = context
        self._own = own

    def rest(self) -> list[int]:
        """Return the processes that count besides the main and the control process."""
        if self._unit.kill_mode == "process":
            return []
        own = self._own()
        return [pid for pid in self._context.members(self._unit.name) if pid not in own]

    def terminate(self) -> None:
        """Ask all to end. Where nobody is there to hand that on, the rest is ended as if the main process had ended."""
        self._signal(self._unit.kill_signal, rest=self._unit.kill_mode == "control-group")
        if self._unit.kill_mode == "mixed" and not any(self._own()):
            self.clear()

    def abort(self) -> None:
        """Send the watchdog's signal."""
        self._signal(self._unit.watchdog_signal, rest=self._unit.kill_mode == "control-group")

    def clear(self) -> None:
        """End what the main process has left behind."""
        if self._unit.kill_mode == "mixed":
            self._signal(signal.SIGKILL, rest=True)
        elif self._unit.kill_mode == "control-group":
            self._signal(self._unit.kill_signal, rest=True)

    def kill(self) -> None:
        """End all at once."""
        self.kills += 1
        if self._unit.send_sigkill or self._context.killing:
            if self._unit.kill_mode != "process":
                self._context.kill_all_of(self._unit.name)
            self._signal(signal.SIGKILL, rest=True)

    def kill_control(self) -> None:
        """End the control process at once."""
        self._send(self._own()[1], signal.SIGKILL)

    def reload(self, main: int) -> None:
        """Send the reload signal."""
        self.signalled = time.monotonic()
        self._send(main, self._unit.reload_signal)

    def _send(self, pid: int, signum: int) -> None:
        """Send a signal to one process, which may be stopped."""
        if pid:
            kill(pid, signum)
            if signum not in {signal.SIGKILL, signal.SIGCONT}:
                kill(pid, signal.SIGCONT)  # a stopped process could not obey

    def _signal(self, signum: int, *, rest: bool) -> None:
        """Send a signal to each process once, also to one that another has forked before it had the signal."""
        told, end = {0}, time.monotonic() + LOOKING
        while time.monotonic() < end:
            found = {*self._own(), *(self.rest() if rest else ())}
            if not (fresh := found - told):
                return
            told |= fresh
            self._context.refresh()
            for pid in fresh:
                self._send(pid, signum)
