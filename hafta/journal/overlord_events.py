"""The events of the embedded overlord. They have a module to themselves because a service never needs them.

The rules of hafta.journal.events hold here, too. Where systemd is the overlord, its own entries report the same things.
"""

from __future__ import annotations

from hafta.journal.event import Event, show_count, show_duration, show_reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

SHOWN = 3  # directives of a sandbox that a sentence shows


class UnitEvent(Event):
    """What happened to a unit: its entry also has UNIT and INVOCATION_ID, as those of systemd have them.

    The run is not one of the fields by which events are compared: a unit that restarts again and again is a storm.
    """

    unit: str

    def of_run(self, run: str) -> Self:
        """Note in which run of the unit it happened, and return the event."""
        self.__dict__["_run"] = run
        return self

    def fields(self) -> dict[str, str]:
        """Return the journal fields, those of systemd's entries among them."""
        found = {**super().fields(), "UNIT": self.unit}
        if run := self.__dict__.get("_run"):
            found["INVOCATION_ID"] = run
        return found


def in_run(event: Event, run_of: Callable[[str], str]) -> Event:
    """Return the event; that of a unit knows the run of it, which `run_of` names."""
    return event.of_run(run_of(event.unit)) if isinstance(event, UnitEvent) else event


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


class UnitStarting(UnitEvent):
    """A unit's main process has been started."""

    MESSAGE_ID = "0a825b224ad14ab3a6369cd071952bcd"
    NAME = "unit-starting"
    VARYING = ("pid",)

    unit: str
    pid: int

    def message(self) -> str:
        """Say which process."""
        return f"Unit {self.unit} is starting as process {self.pid}"


class UnitReady(UnitEvent):
    """A unit is up."""

    MESSAGE_ID = "88ca1a96f48643e19f634dad4cb1815b"
    NAME = "unit-ready"
    VARYING = ("pid", "duration_usec")

    unit: str
    pid: int
    duration_usec: int

    def message(self) -> str:
        """Say how long it took; a unit may be up without a main process."""
        process = f", process {self.pid}" if self.pid else ""
        return f"Unit {self.unit} is ready after {show_duration(self.duration_usec)}{process}"


class UnitExited(UnitEvent):
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
    dumped: bool | None = None  # whether it left a core dump; None: it did not

    def fields(self) -> dict[str, str]:
        """Return the journal fields, and how it ended as systemd says it."""
        how = "exited" if not self.signal else "dumped" if self.dumped else "killed"
        return {**super().fields(), "EXIT_CODE": how, "EXIT_STATUS": str(int(self.signal or self.status or 0))}

    def message(self) -> str:
        """Say how it ended."""
        how = f"was killed by signal {_signal(self.signal)}" if self.signal else f"exited with status {self.status}"
        why = f": {show_reason(self.reason)}" if self.reason else ""
        return f"Unit {self.unit}: process {self.pid} {how}{why}"


class UnitListening(Event):
    """A socket is open."""

    MESSAGE_ID = "6a06fac251b74600b4a67cdf79d06838"
    NAME = "unit-listening"

    unit: str
    addresses: str

    def message(self) -> str:
        """Say where."""
        return f"Unit {self.unit} listens on {self.addresses}"


class UnitRestarting(UnitEvent):
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


class UnitHung(UnitEvent):
    """A unit did not ping its watchdog in time. It is killed."""

    MESSAGE_ID = "48dbc8ab74dd477b94d2397ec66de25d"
    NAME = "unit-hung"
    PRIORITY = 3
    VARYING = ("pid",)

    unit: str
    pid: int
    timeout_usec: int

    def message(self) -> str:
        """Say for how long there was no ping."""
        silence = show_duration(self.timeout_usec)
        return f"Unit {self.unit}: process {self.pid} missed its watchdog: no ping for {silence}; killing it"


class UnitStopping(UnitEvent):
    """A unit has been asked to stop."""

    MESSAGE_ID = "519bd0e94b5c46a9a9d3540051be3c63"
    NAME = "unit-stopping"
    VARYING = ("pid",)

    unit: str
    pid: int

    def message(self) -> str:
        """Say which process; a oneshot that stays active without a process has none."""
        return f"Unit {self.unit} is stopping" + (f", process {self.pid}" if self.pid else "")


class UnitStopped(UnitEvent):
    """A unit is down, as requested."""

    MESSAGE_ID = "34d4d72d26894015a88c3bd3b3aeb718"
    NAME = "unit-stopped"

    unit: str

    def message(self) -> str:
        """Say so."""
        return f"Unit {self.unit} is stopped"


class UnitFailed(UnitEvent):
    """A unit is down, and the overlord does not start it again."""

    MESSAGE_ID = "ec5b8c19ef0745668801ef59fba1565a"
    NAME = "unit-failed"
    PRIORITY = 3

    unit: str
    reason: str

    def message(self) -> str:
        """Say why."""
        return f"Unit {self.unit} failed: {show_reason(self.reason)}"


class RelationFollowed(Event):
    """A unit starts or stops because another unit's file, or its own, asks for that."""

    MESSAGE_ID = "0a5a4484f34341d78dc2cccbdc6689be"
    NAME = "relation-followed"

    unit: str
    action: str  # starts, stops
    directive: str
    cause: str  # the unit that has started or ended

    def message(self) -> str:
        """Say which directive, and because of which unit."""
        return f"Unit {self.unit} {self.action}: {self.directive}=, because of {self.cause}"


class UnitSkipped(UnitEvent):
    """A unit is not started, because its conditions are not met. That is not a failure."""

    MESSAGE_ID = "7b9154a063ae4240bc622f4b75baff28"
    NAME = "unit-skipped"

    unit: str
    reason: str

    def message(self) -> str:
        """Say which condition."""
        return f"Unit {self.unit} is skipped: {show_reason(self.reason)}"


class CommandFailed(UnitEvent):
    """A command of a unit besides its main one failed: ExecStartPre=, ExecReload=, ExecStop= and so on."""

    MESSAGE_ID = "50f043d80ed743d4888d628c3579deeb"
    NAME = "command-failed"
    PRIORITY = 5
    VARYING = ("pid",)

    unit: str
    directive: str
    pid: int
    status: int | None = None
    signal: int | None = None  # a member of signal.Signals also shows its name
    reason: str | None = None

    def message(self) -> str:
        """Say which command, and how it ended."""
        how = f"was killed by signal {_signal(self.signal)}" if self.signal else f"exited with status {self.status}"
        why = f": {show_reason(self.reason)}" if self.reason else ""
        return f"Unit {self.unit}: {self.directive} process {self.pid} {how}{why}"


class UnitReloaded(UnitEvent):
    """A unit has loaded its configuration again, as requested."""

    MESSAGE_ID = "af6a502ce87f4c86b7f8edc9168e0cf6"
    NAME = "unit-reloaded"

    unit: str

    def message(self) -> str:
        """Say so."""
        return f"Unit {self.unit} is reloaded"


class UnitReloadFailed(UnitEvent):
    """A unit was asked to reload, and could not. It runs on as before."""

    MESSAGE_ID = "6ef661ba611641c2a366a50206fb169f"
    NAME = "unit-reload-failed"
    PRIORITY = 4

    unit: str
    reason: str

    def message(self) -> str:
        """Say why."""
        return f"Unit {self.unit} was not reloaded: {show_reason(self.reason)}"


class DirectivesIgnored(Event):
    """A unit file asks for things that the embedded overlord does not do."""

    MESSAGE_ID = "0cb84883020b43e7a091519d1d196dec"
    NAME = "directives-ignored"
    PRIORITY = 4

    unit: str
    directives: str

    def message(self) -> str:
        """Say which directives, and where they stand."""
        return f"Unit {self.unit}: the embedded overlord does not honour {self.directives}"


class SandboxIgnored(Event):
    """Unit files ask for a sandbox, which the embedded overlord cannot give."""

    MESSAGE_ID = "e49b7ac634f14a7cb112db1ee5d49f38"
    NAME = "sandbox-ignored"
    PRIORITY = 4

    units: str
    directives: str  # all of them; the sentence shows the first ones

    def message(self) -> str:
        """Say which units, and name the first directives."""
        names = self.directives.split()
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return f"No sandbox for {self.units}: the embedded overlord does not honour {' '.join(names[:SHOWN])}{more}"


class OrphansKilled(Event):
    """Processes that units had left behind have been killed."""

    MESSAGE_ID = "b466d496c7f44458bffd0b46f8112df3"
    NAME = "orphans-killed"
    PRIORITY = 4

    count: int

    def message(self) -> str:
        """Say how many."""
        noun = "process" if self.count == 1 else "processes"
        return f"Killed {self.count} {noun} that the units had left behind"


def _signal(number: int) -> str:
    name = getattr(number, "name", None)
    return f"{int(number)} ({name})" if name else str(int(number))
