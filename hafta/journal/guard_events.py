"""The events of `hafta guard`. They have a module to themselves because a service never needs them.

The rules of hafta.journal.events hold here, too.
"""

from __future__ import annotations

from hafta.journal.event import Event, show_count, show_duration, show_reason


class GuardStarted(Event):
    """A guard has started its program."""

    MESSAGE_ID = "fda7b059c9cc4c91b22259adb8bd693b"
    NAME = "guard-started"
    VARYING = ("pid",)

    program: str
    pid: int

    def message(self) -> str:
        """Say which program, and as which process."""
        return f"Guard started {self.program} as process {self.pid}"


class GuardReady(Event):
    """All probes of a program have passed for the first time."""

    MESSAGE_ID = "440638fc9e0a41aba27d3a46dc6fab37"
    NAME = "guard-ready"
    VARYING = ("pid", "duration_usec")

    program: str
    pid: int
    duration_usec: int

    def message(self) -> str:
        """Say how long it took."""
        return f"Program {self.program} passes its probes after {show_duration(self.duration_usec)}"


class GuardNotReady(Event):
    """A program has not passed its probes within its start grace. It is ended."""

    MESSAGE_ID = "aa0691d7f09f4976bef3a733da881da2"
    NAME = "guard-not-ready"
    PRIORITY = 3
    VARYING = ("pid",)

    program: str
    pid: int
    reason: str
    timeout_usec: int

    def message(self) -> str:
        """Say why, and how long the guard has waited."""
        late = show_duration(self.timeout_usec)
        return f"Program {self.program} has not passed its probes within {late}: {show_reason(self.reason)}; ending it"


class GuardFailed(Event):
    """A program that was ready has failed its probes too often in a row."""

    MESSAGE_ID = "c7b7e18280564871a20b5d206471d015"
    NAME = "guard-failed"
    PRIORITY = 3
    VARYING = ("pid",)

    program: str
    pid: int
    failures: int
    reason: str
    watchdog: bool  # whether the overlord's watchdog is to end it; else the guard does

    def message(self) -> str:
        """Say why, and who ends it."""
        who = "its watchdog is triggered" if self.watchdog else "ending it"
        times = show_count(self.failures, "time")
        return f"Program {self.program} failed its probes {times} in a row: {show_reason(self.reason)}; {who}"


class GuardRecovered(Event):
    """A program passes its probes again, before its watchdog has ended it."""

    MESSAGE_ID = "6c2f214043f2469286e6dfa59f21628f"
    NAME = "guard-recovered"
    PRIORITY = 5
    VARYING = ("pid",)

    program: str
    pid: int

    def message(self) -> str:
        """Say so."""
        return f"Program {self.program} passes its probes again"


class GuardEnded(Event):
    """The program of a guard has ended."""

    MESSAGE_ID = "aa57538c50be4ca8a55e57cd40abeee4"
    NAME = "guard-ended"
    PRIORITY = 5
    VARYING = ("pid",)

    program: str
    pid: int
    status: int | None = None
    signal: int | None = None  # a member of signal.Signals also shows its name

    def message(self) -> str:
        """Say how it ended."""
        how = f"exited with status {self.status}" if self.signal is None else f"was killed by {_name(self.signal)}"
        return f"Program {self.program}: process {self.pid} {how}"


def _name(number: int) -> str:
    return str(getattr(number, "name", None) or f"signal {int(number)}")
