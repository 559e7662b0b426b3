"""The entries of the embedded overlord (docs/eventlog.md), as the history of a unit needs them: pure, as entry.py.

Whom to believe:

1. The overlord is believed as systemd is, by `_TRANSPORT=driver`, which only it can write. Its beginning and its end
   count as those of the journal: what it runs lives no longer than it does.
2. A service is believed about itself: `_SYSTEMD_UNIT` and `_SYSTEMD_INVOCATION_ID`, which the overlord has added. It
   knows whose a process was for a while after that has died. What it does not know is late, or not verified, as in the
   journal.
3. What is damaged, or could not be written, may have been anything: nothing is known of the units of that event log
   from their last sign of life on (`Kind.DAMAGED`).

The overlord writes one entry where systemd writes several. `parts` takes it apart; the fields that say how are those of
hafta/overlord/facts.py.
"""

from __future__ import annotations

from functools import cache

from hafta.eventlog.format import DAMAGED, OWN, TRANSPORT
from hafta.observe.entry import Reading, Trust
from hafta.observe.kinds import OF_THE_JOURNAL, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hafta.observe.entry import Entry

LONGEST = 10 * 366 * 86_400_000_000  # microseconds: no wait is longer
NOT_BEGUN = frozenset(("start-limit-hit", "dependency", "assert"))


@cache
def of_the_overlord() -> dict[str, Kind]:
    """Return the kinds of what it says of units, by MESSAGE_ID."""
    from hafta.journal import overlord_events as events

    return {
        events.UnitStarting.MESSAGE_ID: Kind.STARTING,
        events.UnitReady.MESSAGE_ID: Kind.STARTED,
        events.UnitExited.MESSAGE_ID: Kind.EXITED,
        events.CommandFailed.MESSAGE_ID: Kind.EXITED,
        events.UnitHung.MESSAGE_ID: Kind.HUNG,
        events.UnitRestarting.MESSAGE_ID: Kind.RESTARTING,
        events.UnitStopping.MESSAGE_ID: Kind.STOPPING,
        events.UnitStopped.MESSAGE_ID: Kind.STOPPED,
        events.UnitFailed.MESSAGE_ID: Kind.FAILED,
    }


@cache
def of_its_life() -> dict[str, Kind]:
    """Return the kinds of what it says of itself, by MESSAGE_ID."""
    from hafta.journal.events import EventsDropped
    from hafta.journal.overlord_events import OverlordStarted, OverlordStopped

    suppressed = next(number for number, kind in OF_THE_JOURNAL.items() if kind is Kind.SUPPRESSED)
    return {
        OverlordStarted.MESSAGE_ID: Kind.JOURNAL_STARTED,
        OverlordStopped.MESSAGE_ID: Kind.JOURNAL_STOPPED,
        EventsDropped.MESSAGE_ID: Kind.DAMAGED,
        DAMAGED: Kind.DAMAGED,
        suppressed: Kind.SUPPRESSED,
    }


class OverlordReading(Reading):
    """Makes entries of what an event log has."""

    def _who(self, fields: Mapping[str, str]) -> tuple[str, str, Trust]:
        if fields.get(TRANSPORT) == OWN:
            if fields.get("MESSAGE_ID", "") in of_its_life():
                return "", "", Trust.MACHINE
            if fields.get("MESSAGE_ID", "") in self._of_drills:
                return fields.get("UNIT", ""), "", Trust.DRILL
            return fields.get("UNIT", ""), fields.get("INVOCATION_ID", ""), Trust.MANAGER
        named, home = fields.get("UNIT", ""), fields.get("_SYSTEMD_UNIT", "")
        own = home if named in {"", home} else ""  # who names another unit is believed about neither
        return self._who_else(fields, named, own, fields.get("_SYSTEMD_INVOCATION_ID", ""))

    def _kind(self, fields: Mapping[str, str], trust: Trust) -> Kind:
        number = fields.get("MESSAGE_ID", "")
        if trust is Trust.MACHINE:
            return of_its_life()[number]
        if trust is Trust.MANAGER:
            return of_the_overlord().get(number, Kind.OURS if number else Kind.TEXT)
        return super()._kind(fields, trust)


def parts(entry: Entry) -> Sequence[Entry]:
    """Return what systemd would have written in place of one entry of the overlord; of others the entry itself."""
    if entry.trust is not Trust.MANAGER or "HAFTA_EVENT" not in entry.fields:
        return (entry,)
    fields, kind = entry.fields, entry.kind
    result, job = fields.get("UNIT_RESULT", ""), fields.get("JOB_RESULT", "")
    kinds: list[Kind] = [kind]
    if job == "canceled":  # it was stopped before it was up: `unit-stopped` says all
        kinds = []
    elif kind is Kind.EXITED and "JOB_TYPE" in fields:
        kinds = [Kind.STOPPING, kind]
    elif kind is Kind.EXITED and result == "success" and fields.get("HAFTA_EVENT") == "unit-exited":
        kinds = [Kind.DEACTIVATED]
    elif kind is Kind.FAILED and result in NOT_BEGUN:
        kinds = [Kind.START_FAILED]
    elif kind in (Kind.FAILED, Kind.RESTARTING):
        never_up = job == "failed"
        kinds = [
            *([Kind.STARTING] if never_up else []),  # a command before the main process failed
            *([Kind.FAILED] if result != "success" else []),
            *([Kind.START_FAILED] if never_up else []),
            *([kind] if kind is Kind.RESTARTING else [Kind.STOPPED] if "JOB_TYPE" in fields else []),
        ]
    return [_part(entry, each) for each in kinds]


def _part(entry: Entry, kind: Kind) -> Entry:
    if kind is Kind.RESTARTING:  # it is written before RestartSec=, that of systemd behind it
        return entry.replace(at=entry.at + min(entry.number("HAFTA_DELAY_USEC"), LONGEST))
    return entry if kind is entry.kind else entry.replace(kind=kind)
