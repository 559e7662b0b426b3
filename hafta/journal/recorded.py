"""Under the embedded overlord: each event is a line for people, as without it, and an entry of the event log.

The overlord gives its services the variable HAFTA_JOURNAL: DEVICE:INODE:PATH. The first two are those of the pipe to
the overlord, as in systemd's JOURNAL_STREAM: a process whose output goes elsewhere does not report there. At the path
is a socket that takes what journald's takes (docs/eventlog.md). A datagram goes first, then its line: so the overlord
knows that the line is the same event.
"""

from __future__ import annotations

from hafta.journal.logs import is_set_up
from hafta.journal.sink import Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.journal.event import Event

#: What a person sees anyway: these are only recorded.
QUIET = frozenset(("service-started", "service-stopped", "sequence-succeeded"))
FAILED = "service-failed"  # two lines say it, unless the program logs


class RecordedSink(Sink):
    """Hands each event to two sinks: one of lines, one that keeps the fields."""

    records = True

    def __init__(self, lines: Sink, fields: Sink) -> None:
        self._lines = lines
        self._fields = fields

    def send(self, event: Event, number: int, repeated: int) -> bool:
        """Send it to both; False if either has not taken it."""
        is_kept = self._fields.send(event, number, repeated)
        if event.NAME in QUIET or (event.NAME == FAILED and not is_set_up()):
            return is_kept
        return self._lines.send(event, number, repeated) and is_kept

    def open(self) -> None:
        """Open both."""
        self._fields.open()
        self._lines.open()

    def close(self) -> None:
        """Close both."""
        self._fields.close()
        self._lines.close()
