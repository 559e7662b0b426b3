"""What a service reported itself: rollbacks, sequences, what came after a start; and how much of it is lost."""

from __future__ import annotations

from typing import NamedTuple

from hafta.frozen import Frozen
from hafta.observe.kinds import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.observe.entry import Entry

AFTERWARDS = 10_000_000  # how long after the end of a run an entry of it may be read


class Event(NamedTuple):
    """One of its entries, which may stand for several events. There may be 100,000 of these, so it is a tuple."""

    at: int
    kind: Kind
    sequence: str
    node: str
    error: str
    stands_for: int
    attempt: int
    usec: int | None


class Loss(Frozen):
    """Events that are not in the journal."""

    at: int
    count: int
    how: str


COUNTED = (
    Kind.ROLLED_BACK, Kind.ROLLBACK_FAILED, Kind.SUCCEEDED, Kind.SEQUENCE_FAILED, Kind.RESUMED, Kind.RECOVERED,
)  # fmt: skip


class Tally:
    """What is counted of one unit."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.losses: list[Loss] = []
        self.asked: list[int] = []  # when it was restarted by hand
        self.uncertain: list[int] = []  # when a run ended of which it is not known whether it was up
        self.missing = 0  # restarts that the manager counts and the journal does not have
        self.late_entries = 0  # of processes that had died before journald read them
        self._restarts = 0
        self._numbers: dict[tuple[str, str], int] = {}
        self._uid = ""
        self._words: dict[str, str] = {}

    def add(self, entry: Entry) -> None:
        """Take an entry of the service."""
        fields = entry.fields
        self._uid = fields.get("_UID", self._uid)
        self._check_number(entry)
        if entry.kind is Kind.EVENTS_DROPPED:
            self.losses.append(Loss(entry.at, entry.number("HAFTA_COUNT", 1), "the service could not send them"))
        if entry.kind in COUNTED:
            usec = entry.number("HAFTA_DURATION_USEC", -1)
            self.events.append(
                Event(
                    entry.at, entry.kind, self._word(fields, "HAFTA_SEQUENCE"), self._word(fields, "HAFTA_NODE"),
                    self._word(fields, "HAFTA_ERROR"), max(1, entry.number("HAFTA_REPEATED", 1)),
                    entry.number("HAFTA_ATTEMPT"), None if usec < 0 else usec,
                )
            )  # fmt: skip

    def late(self, entry: Entry, run: str, ended: dict[str, int]) -> None:
        """Take an entry of a process that had died, if it can be that of a run that the manager has named."""
        end = ended.get(entry.run)
        is_run = entry.run == run if end is None else entry.at <= end + AFTERWARDS
        if is_run and entry.fields.get("_UID", "") == self._uid:
            self.late_entries += 1
            self.add(entry)

    def restart(self, number: int) -> None:
        """Take N_RESTARTS, which begins with 1 after each start by hand."""
        if number > 1 and self._restarts and number > self._restarts + 1:
            self.missing += number - self._restarts - 1
        self._restarts = number

    def suppress(self, entry: Entry) -> None:
        """Take what journald says that it has left out."""
        self.losses.append(Loss(entry.at, entry.number("N_DROPPED", 1), "journald's rate limit"))

    def forget(self, count: int) -> None:
        """Forget all but the newest processes, this many."""
        for process in list(self._numbers)[:-count]:
            del self._numbers[process]
        self._words.clear()

    def _check_number(self, entry: Entry) -> None:
        number = entry.number("HAFTA_NUMBER")
        process = entry.boot, f"{entry.fields.get('_PID', '')} {entry.run}"
        last = self._numbers.get(process)
        if number and last is not None and number > last + 1:
            self.losses.append(Loss(entry.at, number - last - 1, "holes in the numbers"))
        if number:
            self._numbers[process] = max(number, last or 0)

    def _word(self, fields: Mapping[str, str], name: str) -> str:
        """Return the value of a field, the same object for the same text."""
        word = fields.get(name, "")
        return self._words.setdefault(word, word)
