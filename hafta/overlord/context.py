"""What a unit's runner may ask of the overlord around it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from hafta.journal.event import Event as JournalEvent
    from hafta.overlord.child import Child, Launch
    from hafta.overlord.connection import Connection
    from hafta.overlord.idle import Idle
    from hafta.overlord.lines import Line
    from hafta.overlord.passing import Passed
    from hafta.overlord.paths import Paths
    from hafta.overlord.runner import Runner
    from hafta.overlord.table import Happening
    from hafta.process.loop import Loop
    from hafta.units.folders import Folder
    from hafta.units.roots import Roots
    from hafta.units.template import Template
    from hafta.units.unit import Unit

    class Handing(Protocol):
        """What is handed over to services (handover.py)."""

        paths: Paths
        idle: Idle

        def trigger(self, service: str) -> None:
            """Have a service start, because somebody has connected."""

        def is_busy(self, service: str) -> bool:
            """Tell whether a service has a process, or is on its way."""

        def passed(self, unit: Unit) -> Passed:
            """Return what the main process of a unit gets."""

        def count(self, owner: str, source: str = "") -> int:
            """Return how many connections a socket has, all or from one source."""

        def begin(self, connection: Connection, template: Template) -> None:
            """Start the service of a connection."""

        def started(self, name: str) -> None:
            """Let go of what only the main process is to have."""

        @property
        def is_ending(self) -> bool:
            """Whether nothing is started any more."""

    class Recorded(Protocol):
        """What is kept of services (recording.py)."""

        @property
        def path(self) -> str:
            """Where services report events; empty: nowhere."""

    class Context(Protocol):
        """The overlord, as runner.py and spawn.py see it."""

        loop: Loop
        roots: Roots
        environ: Mapping[str, str]
        identity: str
        notify_path: str
        killing: bool

        @property
        def recording(self) -> Recorded:
            """What is kept of services."""

        @property
        def handover(self) -> Handing:
            """What is handed over to services."""

        @property
        def descriptors(self) -> tuple[int, int, int]:
            """The limit of open files that we had before we raised our own."""

        def post(self, runner: Runner, event: Happening) -> None:
            """Have the unit take an event once what is being done now is done."""

        def report(self, event: JournalEvent) -> None:
            """Report an event."""

        def note(self, text: str) -> None:
            """Say something that is not an event."""

        def show(self, runner: Runner, line: Line) -> None:
            """Show a line of its output."""

        def members(self, name: str) -> list[int]:
            """Return the processes of a unit."""

        @property
        def is_unsure(self) -> bool:
            """Whether it will be known in a moment only whose process something is."""

        def refresh(self) -> None:
            """Have processes that came meanwhile be seen."""

        def spawn(self, name: str, launch: Launch) -> Child:
            """Start a process of a unit. Raises OSError."""

        def invocation(self, name: str) -> str:
            """Return the id of this run of a unit."""

        def born(self, name: str, pid: int) -> None:
            """Note a process of a unit that has been forked."""

        def adopt(self, runner: Runner, pid: int, *, claim: bool = False) -> str:
            """Take another process of a unit for its main one; return in words why not, empty if it is."""

        def orphans(self, runner: Runner) -> list[int]:
            """Return what a unit has left behind that went to the background: its processes that are our children."""

        def kill_all_of(self, name: str) -> None:
            """End all processes of a unit at once, where that can be done."""

        def remove_directory(self, name: str, links: Sequence[Folder]) -> None:
            """Remove a runtime directory and the links to it."""

        def is_used(self, directory: str, but: Runner) -> bool:
            """Tell whether another unit that is not at rest has this runtime directory."""

        def extra_for(self, name: str) -> Mapping[str, str]:
            """Return what --set adds to a unit's environment."""
