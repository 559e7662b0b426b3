"""What a sink is: where entries go. Each sink has its own file."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

    from hafta.journal.event import Event


class Sink:
    """Where entries go. A sink never waits for who reads it."""

    #: Whether it keeps the fields, so that the event itself tells all; else it is lines for a person.
    structured: ClassVar[bool] = False

    def send(self, event: Event, number: int, repeated: int) -> bool:
        """Send the entry with this running number, which stands for `repeated` events; False: it was not taken."""
        raise NotImplementedError

    def open(self) -> None:
        """Open what sending needs, if it can be, so that it is there when no descriptor is left."""

    def close(self) -> None:
        """Let go of descriptors. Sending after that opens them again."""
