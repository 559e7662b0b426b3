"""The faults of a demonstration, in their order and at their times. Anybody could make them, by `hafta ctl kill`."""

from __future__ import annotations

import signal

from hafta.control.asking import connect
from hafta.errors import HaftaError
from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Fault(Frozen):
    """A signal to a unit's main process, this many seconds after the one before."""

    after: float
    unit: str
    signum: signal.Signals

    @property
    def command(self) -> str:
        """How a person would do it."""
        return f"hafta ctl kill --kill-whom=main --signal={self.signum.name} {self.unit}"


FAULTS = (
    Fault(5.0, "hafta-server.service", signal.SIGKILL),
    Fault(5.0, "hafta-client.service", signal.SIGKILL),
    Fault(5.0, "hafta-server.service", signal.SIGSTOP),
    Fault(10.0, "hafta-server.service", signal.SIGKILL),
)


class Faults:
    """Makes one after the other, from the beginning again at the end of the table."""

    def __init__(self, overlord: int, environ: Mapping[str, str], now: float) -> None:
        self._overlord = overlord
        self._environ = environ
        self._next = 0
        self._due = now + FAULTS[0].after

    def wait(self, now: float) -> float:
        """Return the seconds to the next one."""
        return max(0.0, self._due - now)

    def make(self, now: float) -> str:
        """Make the next one if it is due; return how a person would. Empty if none is, or the unit is down just now."""
        if now < self._due:
            return ""
        fault = FAULTS[self._next]
        self._next = (self._next + 1) % len(FAULTS)
        self._due = now + FAULTS[self._next].after
        try:
            with connect(str(self._overlord), self._environ) as asking:
                parameters = {"units": [fault.unit], "signal": int(fault.signum), "whom": "main"}
                outcomes = asking.ask("Kill", parameters)["jobs"]
        except (HaftaError, OSError):  # it is ending
            return ""
        return "" if any("error" in outcome for outcome in outcomes) else fault.command
