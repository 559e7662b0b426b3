"""What the journal says of the machine: whether it shut down, died, or only journald was restarted."""

from __future__ import annotations

from hafta.observe.drills import Drills
from hafta.observe.kinds import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.observe.entry import Entry


class Machine:
    """Takes every entry in turn. What `feed` returns is explained there."""

    DIED = "the machine died"

    def __init__(self) -> None:
        self.is_shutting = False  # whether a shutdown has begun
        self.at = 0  # when the machine was back, or, after a shutdown, when it was off
        self.known_until = 0
        self.log = ""  # the event log in which the newest entry of the unit is; empty: the journal
        self.drills = Drills()  # of the unit: somebody at this machine does them
        self._boot = ""
        self._stopped: int | None = None  # when the journal stopped
        self._newest = 0  # entry, of anybody
        self._is_fresh = False  # the boot has changed, and its journal has not begun yet
        self._pending: tuple[int, int] | None = None

    def is_of(self, log: str) -> None:
        """Note in which event log the entries of the unit are."""
        self.log = log

    def feed(self, entry: Entry) -> str:
        """Return "off" if the machine had shut down before this entry, "died" if it had died, else nothing."""
        told = ""
        if entry.boot != self._boot and entry.kind is not Kind.LAST_SEEN:
            if self._boot:
                told = self._rebooted(entry.at - entry.monotonic, entry)
                self._is_fresh = entry.kind is not Kind.JOURNAL_STARTED
            self._boot = entry.boot
        elif entry.kind is Kind.JOURNAL_STARTED:
            told = self._restarted(entry)
        if entry.kind is Kind.SHUTDOWN:
            self.is_shutting = True
        elif entry.kind is Kind.JOURNAL_STOPPED:
            self._stopped = entry.at
        elif entry.kind is Kind.JOURNALD_EXITED:
            self._pending = None
        self._newest = max(self._newest, entry.at)
        return told

    def take_pending(self) -> tuple[int, int] | None:
        """Return until when all is known and when it began again, if a container may have died; ask once."""
        pending, self._pending = self._pending, None
        return pending

    def _rebooted(self, begin: int, entry: Entry) -> str:
        was_off, self._pending = self._stopped is not None, None
        self.known_until = self._newest if self._stopped is None else self._stopped
        begin = max(begin, self.known_until)
        self.at = self.known_until if was_off else min(begin, entry.at)
        self._begin()
        return "off" if was_off else "died"

    def _restarted(self, entry: Entry) -> str:
        """The journal begins, in the same boot: journald was restarted or died, or this is a container."""
        if self._is_fresh:
            self._is_fresh = False
            return ""
        stopped, was_shutting, newest = self._stopped, self.is_shutting, self._newest
        self._begin()
        if stopped is None:
            self._pending = newest, entry.at
        elif was_shutting:
            self.at = self.known_until = stopped
            return "off"
        return ""

    def _begin(self) -> None:
        self.is_shutting, self._stopped = False, None
