"""What the desk may ask of the overlord around it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from hafta.journal.event import Event
    from hafta.overlord.runner import Runner
    from hafta.units.unit import Unit

    class Host(Protocol):
        """The overlord, as the desk sees it."""

        def make(self, unit: Unit) -> Runner:
            """Return a runner for a unit, at rest."""

        def members(self, name: str) -> list[int]:
            """Return the processes of a unit."""

        def report(self, event: Event) -> None:
            """Report an event."""

        def note(self, text: str) -> None:
            """Say something that is not an event."""

        def note_estate(self, units: Mapping[str, Unit]) -> None:
            """Lock units, and note what is to be cleared away of them. Raises HaftaError or OSError."""

        def take_in(self, name: str) -> None:
            """Run one more unit, and what it pulls in. Raises HaftaError or OSError."""
