"""From entries to the lines of a log: repeats are one line, what is missing is a line, runs are joined. No I/O.

Entries repeat each other if they are of one run and kind, and say the same but for what always differs: of events of
HAFTA that is sequence, node and class of the reason, of others the message.
"""

from __future__ import annotations

from hafta.eventlog.format import LOG
from hafta.frozen import Frozen
from hafta.observe.drills import PART
from hafta.observe.entry import Trust
from hafta.observe.intervals import Class
from hafta.observe.kinds import Kind
from hafta.observe.outages import cause_of_exit
from hafta.observe.timeline import STEP

NEVER = -(1 << 63)  # before every time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from hafta.observe.closing import History
    from hafta.observe.entry import Entry


class Line(Frozen):
    """A line, of one entry or of several that repeat each other. Times are wall clock time in microseconds."""

    first: Entry
    last: Entry
    count: int  # what they stand for
    text: str
    is_gap: bool = False


class Told(Frozen):
    """One run, as the history has it: seconds are of hafta.observe.timeline."""

    run: str
    begin: int
    end: int | None
    how: str  # how it ended


def lines(
    entries: Iterable[Entry], gaps: Gaps | None = None, is_wanted: Callable[[Entry], bool] = lambda _entry: True
) -> Iterator[Line]:
    """Yield the lines of those entries that are wanted, and of all that is missing: give it also what is not wanted.

    `gaps` knows what came before.
    """
    gaps = gaps or Gaps()
    held: Line | None = None
    drilled: dict[str, int] = {}  # units of which a drill is going on, and until when at most
    for entry in entries:
        found = [Line(entry, entry, 1, text, is_gap=True) for text in gaps.before(entry)]
        stands_for = max(1, entry.number("HAFTA_REPEATED", 1))
        if entry.trust is Trust.DRILL:
            is_begin = entry.kind is Kind.DRILL_STARTED
            drilled[entry.unit] = entry.at + entry.number("HAFTA_LIMIT_USEC") if is_begin else NEVER
        if entry.kind not in (Kind.LAST_SEEN, Kind.DAMAGED) and is_wanted(entry):
            if held and not found and likeness(entry) == likeness(held.last):
                held = held.replace(last=entry, count=held.count + stands_for)
                continue
            is_whose = entry.trust in (Trust.MANAGER, Trust.DRILL)
            is_drilled = is_whose and entry.at <= drilled.get(entry.unit, NEVER)
            found.append(Line(entry, entry, stands_for, f"{'(drill) ' if is_drilled else ''}{says(entry)}"))
        if held and found:
            yield held
        if found:
            yield from found[:-1]
            held = found[-1]
    if held:
        yield held


def likeness(entry: Entry) -> tuple[Any, ...]:
    """Return what is equal in entries that repeat each other."""
    if entry.trust in (Trust.SERVICE, Trust.LATE) and "HAFTA_EVENT" in entry.fields:
        names = ("HAFTA_EVENT", "HAFTA_SEQUENCE", "HAFTA_NODE", "HAFTA_ERROR")
        said: tuple[Any, ...] = tuple(entry.fields.get(name) for name in names)
        if entry.fields["HAFTA_EVENT"] == "said":
            said = (entry.fields.get("MESSAGE"),)
    else:
        said = entry.kind, entry.fields.get("MESSAGE")
    return entry.unit, entry.run, entry.trust, said


def says(entry: Entry) -> str:
    """Return what a line says: the event's own sentence, and who claims it if that cannot be verified."""
    message = entry.fields.get("MESSAGE", "")
    if entry.kind is Kind.EXITED and entry.trust is Trust.MANAGER:
        command = entry.fields.get("COMMAND", "ExecStart")
        message = f"{'main process' if command == 'ExecStart' else command} ended: {cause_of_exit(entry)}"
    if entry.trust is Trust.UNVERIFIED:
        return f"(unverified, pid {entry.fields.get('_PID', '?')}) {message}"
    return f"(late) {message}" if entry.trust is Trust.LATE else message


def exported(entry: Entry) -> bytes:
    """Return an entry in the journal's export format (systemd.io, Journal Export Formats), as it was read.

    What the last entry of anybody before a gap said is not an entry of these units: it is left out.
    """
    raw = entry.raw
    if raw is None or raw.is_last:
        return b""
    head = {"__CURSOR": raw.cursor, "__REALTIME_TIMESTAMP": raw.wall, "__MONOTONIC_TIMESTAMP": raw.monotonic}
    own = {**raw.fields, "_BOOT_ID": raw.boot}
    pairs = [*head.items(), *own.items(), *raw.more]
    return b"".join(_field(name, str(value).encode(errors="surrogateescape")) for name, value in pairs) + b"\n"


def _field(name: str, value: bytes) -> bytes:
    """Return a line; of what is more than printable ASCII, name, length and bytes."""
    if all(0x20 <= byte < 0x7F or byte == 0x09 for byte in value):
        return name.encode() + b"=" + value + b"\n"
    return name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"


class Gaps:
    """Finds what is missing between two entries."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str, str], int] = {}
        self._boot = ""
        self._ahead = 0

    def before(self, entry: Entry) -> list[str]:
        """Return what is to be said before this entry."""
        found = self._clock(entry)
        number = entry.number("HAFTA_NUMBER")
        if number and entry.trust in (Trust.SERVICE, Trust.LATE):
            process = entry.boot, entry.fields.get("_PID", ""), entry.run
            last = self._numbers.get(process, number - 1)
            if number > last + 1:
                found.append(f"{number - last - 1} events are not in the journal (holes in their numbers)")
            self._numbers[process] = max(number, last)
        if entry.kind is Kind.SUPPRESSED:
            who = "the overlord" if LOG in entry.fields else "journald"
            found.append(f"{who} dropped {entry.number('N_DROPPED', 1)} entries of this unit (rate limit)")
        elif entry.kind is Kind.DAMAGED:
            lost = entry.number("HAFTA_COUNT")
            found.append(
                f"{lost} entries could not be written (a full disk?)" if lost else "damaged: a line is not whole"
            )
        elif entry.kind is Kind.LAST_SEEN and LOG in entry.fields:
            found.append("the overlord lived until here at least, and was then killed")
        elif entry.kind is Kind.LAST_SEEN:
            found.append("nobody wrote anything from here on: the machine died, or journald did")
        return found

    def _clock(self, entry: Entry) -> list[str]:
        ahead, found = entry.wall - entry.monotonic, []
        if self._boot and entry.boot != self._boot:
            found.append("the machine was booted")
        elif self._boot and abs(ahead - self._ahead) > STEP:
            found.append(f"the clock was set by {(ahead - self._ahead) / 1e6:+.1f} s")
        self._boot, self._ahead = entry.boot, ahead
        return found


def told(history: History) -> list[Told]:
    """Return the runs of a history that were up, in their order."""
    causes = {outage.run: outage.cause for outage in history.outages}
    causes |= {outage.run: f"{outage.cause} (drill)" for outage in history.drilled}
    by_drill = {outage.run for outage in history.drilled}
    found: list[Told] = []
    slept = False
    for place, span in enumerate(history.spans):
        if span.what is not Class.UP:
            continue
        after = history.spans[place + 1] if place + 1 < len(history.spans) else None
        how = {Class.STOPPED: "stopped", Class.MACHINE: "with the machine", Class.UNKNOWN: "unknown"}
        end = "running" if after is None else how.get(after.what) or causes.get(span.run, "unknown")
        end = causes[span.run] if after is not None and after.part == PART and span.run in by_drill else end
        is_same = bool(found) and found[-1].run == span.run and bool(span.run or slept)  # a sleep, or another worker
        begin = found.pop().begin if is_same else span.begin
        slept = after is not None and after.part == "sleep"
        found.append(Told(span.run, begin, None if after is None else span.end, end))
    return found


def runs_of(entries: Iterable[Entry], unit: str) -> list[str]:
    """Return the runs that are named by those who can be believed, the oldest first."""
    believed = (Trust.MANAGER, Trust.SERVICE)
    return list(dict.fromkeys(one.run for one in entries if one.run and one.unit == unit and one.trust in believed))
