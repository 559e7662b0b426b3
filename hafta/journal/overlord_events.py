"""The events of the embedded overlord, apart from hafta.journal.events because a service never needs them.

The same rules hold; systemd's own entries tell the same things where systemd is the overlord.
"""

from __future__ import annotations

from hafta.journal.event import Event, show_count, show_duration, show_reason

SHOWN = 3  # directives of a sandbox that a sentence shows


class OverlordStarted(Event):
    """The embedded overlord runs."""

    MESSAGE_ID = "d3c16569b1574356af22f0e00e69327b"
    NAME = "overlord-started"

    units: int

    def message(self) -> str:
        """Say how many units it looks after."""
        return f"Overlord started with {show_count(self.units, 'unit')}"


class OverlordStopped(Event):
    """The embedded overlord ends; every unit has been stopped."""

    MESSAGE_ID = "6d9904b9c2574237a3672760a15a688b"
    NAME = "overlord-stopped"

    reason: str

    def message(self) -> str:
        """Say why."""
        return f"Overlord stopped: {show_reason(self.reason)}"


class UnitStarting(Event):
    """A unit's main process has been started."""

    MESSAGE_ID = "0a825b224ad14ab3a6369cd071952bcd"
    NAME = "unit-starting"
    VARYING = ("pid",)

    unit: str
    pid: int

    def message(self) -> str:
        """Say which process."""
        return f"Unit {self.unit} is starting as process {self.pid}"


class UnitReady(Event):
    """A unit is up."""

    MESSAGE_ID = "88ca1a96f48643e19f634dad4cb1815b"
    NAME = "unit-ready"
    VARYING = ("pid", "duration_usec")

    unit: str
    pid: int
    duration_usec: int

    def message(self) -> str:
        """Say how long it took."""
        return f"Unit {self.unit} is ready after {show_duration(self.duration_usec)}, process {self.pid}"


class UnitExited(Event):
    """A unit's main process ended, with a status or by a signal."""

    MESSAGE_ID = "d4d8375f1f4b471b9f0c918417189868"
    NAME = "unit-exited"
    PRIORITY = 5
    VARYING = ("pid",)

    unit: str
    pid: int
    status: int | None = None
    signal: int | None = None  # a member of signal.Signals also shows its name
    reason: str | None = None

    def message(self) -> str:
        """Say how it ended."""
        how = f"was killed by signal {_signal(self.signal)}" if self.signal else f"exited with status {self.status}"
        why = f": {show_reason(self.reason)}" if self.reason else ""
        return f"Unit {self.unit}: process {self.pid} {how}{why}"


class UnitRestarting(Event):
    """A unit will be started again."""

    MESSAGE_ID = "d47bd62fcc284ebf8f938456198545a2"
    NAME = "unit-restarting"
    PRIORITY = 5
    VARYING = ("attempt",)

    unit: str
    attempt: int  # restarts since it was started by request
    delay_usec: int

    def message(self) -> str:
        """Say when, and which restart it is."""
        when = f"in {show_duration(self.delay_usec)}" if self.delay_usec else "at once"
        return f"Unit {self.unit} restarts {when}, restart {self.attempt}"


class UnitHung(Event):
    """A unit did not feed its watchdog in time and is killed."""

    MESSAGE_ID = "48dbc8ab74dd477b94d2397ec66de25d"
    NAME = "unit-hung"
    PRIORITY = 3
    VARYING = ("pid",)

    unit: str
    pid: int
    timeout_usec: int

    def message(self) -> str:
        """Say how long it was waited for."""
        return (
            f"Unit {self.unit}: process {self.pid} gave no sign of progress for {show_duration(self.timeout_usec)}"
            " and is killed"
        )


class UnitStopping(Event):
    """A unit has been told to stop."""

    MESSAGE_ID = "519bd0e94b5c46a9a9d3540051be3c63"
    NAME = "unit-stopping"
    VARYING = ("pid",)

    unit: str
    pid: int

    def message(self) -> str:
        """Say which process."""
        return f"Unit {self.unit} is stopping, process {self.pid}"


class UnitStopped(Event):
    """A unit is down, as it should be."""

    MESSAGE_ID = "34d4d72d26894015a88c3bd3b3aeb718"
    NAME = "unit-stopped"

    unit: str

    def message(self) -> str:
        """Say so."""
        return f"Unit {self.unit} is stopped"


class UnitFailed(Event):
    """A unit is down and is not started again by itself."""

    MESSAGE_ID = "ec5b8c19ef0745668801ef59fba1565a"
    NAME = "unit-failed"
    PRIORITY = 3

    unit: str
    reason: str

    def message(self) -> str:
        """Say why."""
        return f"Unit {self.unit} failed: {show_reason(self.reason)}"


class DirectiveIgnored(Event):
    """A unit file asks for something that the embedded overlord does not do."""

    MESSAGE_ID = "0cb84883020b43e7a091519d1d196dec"
    NAME = "directive-ignored"
    PRIORITY = 4

    unit: str
    directive: str
    line: int | None = None

    def message(self) -> str:
        """Say which directive, and where."""
        where = f", line {self.line}" if self.line else ""
        return f"Unit {self.unit}: {self.directive}= is not honoured by the embedded overlord{where}"


class SandboxIgnored(Event):
    """Unit files ask for a sandbox, which the embedded overlord does not have."""

    MESSAGE_ID = "e49b7ac634f14a7cb112db1ee5d49f38"
    NAME = "sandbox-ignored"
    PRIORITY = 4

    units: str
    directives: str  # all of them; the sentence shows the first ones

    def message(self) -> str:
        """Say whose, and how much of it."""
        names = self.directives.split()
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return f"No sandbox for {self.units}: the embedded overlord does not honour {' '.join(names[:SHOWN])}{more}"


class OrphansKilled(Event):
    """Processes that a unit had left behind have been killed."""

    MESSAGE_ID = "b466d496c7f44458bffd0b46f8112df3"
    NAME = "orphans-killed"
    PRIORITY = 4

    count: int

    def message(self) -> str:
        """Say how many."""
        noun = "process" if self.count == 1 else "processes"
        return f"{self.count} {noun} left behind by the units killed"


def _signal(number: int) -> str:
    name = getattr(number, "name", None)
    return f"{int(number)} ({name})" if name else str(int(number))
