"""Event logs with known histories, written with any time, and what the fold makes of them."""

import os

from hafta.eventlog.format import BOOT, EVENTS, MONOTONIC, OWN, REALTIME, TRANSPORT, encode, file_name
from hafta.eventlog.place import logs_in
from hafta.journal import overlord_events as events
from hafta.journal.entry import entry
from hafta.observe.closing import close
from hafta.observe.embedded import OverlordReading
from hafta.observe.fold import Fold
from hafta.observe.intervals import sums
from hafta.observe.sources.eventlog import EventLog
from hafta.observe.timeline import Timeline

UNIT = "a.service"
SECOND = 1_000_000
BEGIN = 1_700_000_000 * SECOND  # the wall clock where the monotonic one is 0
DAY = "b" * 32


def stamp(at, boot=DAY, begin=BEGIN):
    """Return the fields that date an entry; `at` in seconds of the boot."""
    usec = round(at * SECOND)
    return {REALTIME: str(begin + usec), MONOTONIC: str(usec), BOOT: boot}


def own(at, event, run="", **more):
    """Return an entry of the overlord."""
    event = event.of_run(run) if run else event
    return {**stamp(at), TRANSPORT: OWN, "_PID": "1000", **entry(event, 1, 1, "overlord"), **more}


def started(at):
    return own(at, events.OverlordStarted(1))


def stopped(at):
    return own(at, events.OverlordStopped("SIGTERM"))


def run_of(number):
    return f"{number:032x}"


def starting(at, number):
    return own(at, events.UnitStarting(UNIT, number), run_of(number))


def ready(at, number):
    return own(at, events.UnitReady(UNIT, number, 1), run_of(number), JOB_TYPE="start", JOB_RESULT="done")


def up(at, number):
    return [starting(at, number), ready(at, number)]


def exited(at, number, status=3, **more):
    result = "success" if not status else "exit-code"
    event = events.UnitExited(UNIT, number, status=status)
    return own(at, event, run_of(number), COMMAND="ExecStart", UNIT_RESULT=result, **more)


def restarting(at, number, nth, delay=0.0, result="exit-code", **more):
    event = events.UnitRestarting(UNIT, nth, round(delay * SECOND))
    return own(at, event, run_of(number), N_RESTARTS=str(nth), UNIT_RESULT=result, **more)


def write(state, entries, slot=0, number=1, row=EVENTS):
    """Write a file of an event log; return its path."""
    folder = os.path.join(state, "hafta-overlord/events", str(slot))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, file_name(row, number))
    head = {**stamp(0), TRANSPORT: OWN, "HAFTA_EVENT_LOG": "1"}
    with open(path, "wb") as file:
        file.writelines(one if isinstance(one, bytes) else encode(one) for one in (head, *entries))
    return path


def history(state, unit=UNIT, until=None):
    """Return what the event logs below %S say of a unit, until their last entry or a time in seconds."""
    log = EventLog(logs_in(str(state)), is_here=False)
    timeline = Timeline()
    reading = OverlordReading(timeline)
    head = log.head()
    begin = timeline.place(head.boot, head.wall, head.monotonic) if head else 0
    fold = Fold(unit, begin)
    for raw in log.read([unit]):
        fold.feed(reading.entry(raw))
    tail = log.tail()
    end = timeline.place(tail.boot, tail.wall, tail.monotonic) if tail else begin
    return close(fold, begin, end if until is None else BEGIN + round(until * SECOND))


def seconds(found):
    """Return how long it was what, in seconds; without what it never was."""
    return {what.value: round(usec / SECOND, 3) for what, usec in sums(found.spans).items() if usec}
