"""The two events of `hafta drill`. Between them, what happens to the unit does not count (docs/drill.md)."""

from __future__ import annotations

from hafta.journal.event import show_duration
from hafta.journal.overlord_events import UnitEvent

LIMIT_MAX = 86_400_000_000  # microseconds that a drill may be said to last


class DrillEvent(UnitEvent):
    """A drill of a unit begins or ends. journalctl -u shows it, too."""

    unit: str
    drill: str

    def fields(self) -> dict[str, str]:
        """Return the journal fields, those of systemd's entries among them."""
        return {**super().fields(), "OBJECT_SYSTEMD_UNIT": self.unit}


class DrillStarted(DrillEvent):
    """A drill of a unit begins."""

    MESSAGE_ID = "69f2aaccd7d0444abffab990b0821552"
    NAME = "drill-started"
    PRIORITY = 5

    unit: str
    drill: str
    limit_usec: int  # how long it lasts at most, if nothing says that it has ended

    def message(self) -> str:
        """Say what is drilled, and for how long at most."""
        return f"Drill {self.drill} of {self.unit} begins: it lasts {show_duration(self.limit_usec)} at most"


class DrillEnded(DrillEvent):
    """A drill of a unit has ended, and what it had changed is undone."""

    MESSAGE_ID = "9948ee66d2b64228ba9763b8f0e287c6"
    NAME = "drill-ended"
    PRIORITY = 5

    unit: str
    drill: str

    def message(self) -> str:
        """Say so."""
        return f"Drill {self.drill} of {self.unit} has ended, and what it had changed is undone"
