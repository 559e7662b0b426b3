"""What a unit's runner may ask of the overlord around it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from hafta.journal.event import Event as JournalEvent
    from hafta.overlord.dirs import Roots
    from hafta.overlord.lines import Line
    from hafta.overlord.loop import Loop
    from hafta.overlord.runner import Runner
    from hafta.overlord.table import Event

    class Context(Protocol):
        """The overlord, as runner.py and launch.py see it."""

        loop: Loop
        roots: Roots
        environ: Mapping[str, str]
        identity: str
        notify_path: str
        killing: bool

        def post(self, runner: Runner, event: Event) -> None:
            """Have the unit take an event once what is being done now is done."""

        def report(self, event: JournalEvent) -> None:
            """Report an event."""

        def show(self, runner: Runner, line: Line) -> None:
            """Show a line of its output."""

        def members(self, name: str) -> list[int]:
            """Return the processes of a unit."""

        def is_used(self, directory: str, but: Runner) -> bool:
            """Tell whether another unit that is not at rest has this runtime directory."""

        def extra_for(self, name: str) -> Mapping[str, str]:
            """Return what --set adds to a unit's environment."""
