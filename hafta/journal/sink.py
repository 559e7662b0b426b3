"""What a sink is: where entries go. Each sink has its own file."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

    from hafta.journal.event import Event


class Sink:
    """Where entries go. A sink never waits for the reader."""

    #: Whether it keeps the fields of an event; if not, it writes lines for a person.
    structured: ClassVar[bool] = False
    #: Whether what it takes is kept with its fields, so that also what a person sees anyway is worth reporting.
    records: ClassVar[bool] = False

    def send(self, event: Event, number: int, repeated: int) -> bool:
        """Send the entry with this number, which stands for `repeated` events; False: it was not taken."""
        raise NotImplementedError

    def open(self) -> None:
        """Open what sending needs, if possible, so that it works even when no descriptor is left."""

    def close(self) -> None:
        """Close descriptors. The next send opens them again."""
