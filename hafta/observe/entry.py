"""One entry of the journal, as the history of a unit needs it: when, which unit and run, what, and who says so.

Whom to believe (fields that begin with `_` are set by journald, and cannot be forged):

1. The system's manager is `_PID=1`. A user's manager is `_SYSTEMD_UNIT=user@UID.service` and
   `_SYSTEMD_USER_UNIT=init.scope`: the first alone is true of every process of that user.
2. journald and logind are believed by their `_SYSTEMD_UNIT`, and only about the machine.
3. A service is believed about itself: `_SYSTEMD_UNIT` and `_SYSTEMD_INVOCATION_ID`, or those of the user's manager. If
   what is not an event of HAFTA also has UNIT=, it may come from systemd's own child before it is the service: rule 6.
4. Where journald could not say who wrote, because the process had died, HAFTA_INVOCATION names the run. That is *late*,
   and counts if the manager has named that run, at that time, and other entries of the unit have the same `_UID`.
5. A drill is believed that root runs (`_UID=0`), or the user whose units are read: both could stop the unit as well.
6. What else bears a unit's name is shown, marked as not verified, and never counted.
"""

from __future__ import annotations

from enum import Enum

from hafta.eventlog.format import LOG
from hafta.frozen import Frozen
from hafta.observe.kinds import OF_DRILLS, OF_LOGIND, OF_SLEEP, OF_THE_JOURNAL, OF_UNITS, SIGNS, Kind, of_ours, of_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.observe.timeline import Timeline

_OF_MACHINE = {**OF_THE_JOURNAL, **OF_LOGIND, **OF_SLEEP}


class Trust(Enum):
    """Who says so."""

    MANAGER = "manager"
    MACHINE = "machine"
    SERVICE = "service"
    DRILL = "drill"
    LATE = "late"
    UNVERIFIED = "unverified"


class Entry(Frozen):
    """What the journal says. `unit` is empty for what concerns the machine."""

    kind: Kind
    trust: Trust
    at: int  # microseconds, see hafta.observe.timeline
    wall: int  # microseconds since 1970, as the wall clock stood
    unit: str
    run: str  # the invocation; empty if the entry does not name it
    boot: str
    monotonic: int  # microseconds since the boot, when journald took it
    fields: Mapping[str, str]
    raw: Raw | None = None  # as it was read

    def number(self, name: str, otherwise: int = 0) -> int:
        """Return a field that is a whole number of at most 18 digits."""
        return whole(self.fields.get(name), otherwise)


class Raw(Frozen):
    """An entry as a source has read it."""

    fields: Mapping[str, str]
    wall: int  # when journald took it
    monotonic: int
    boot: str
    cursor: str = ""
    more: tuple[tuple[str, str], ...] = ()  # further values of fields that it has several of
    is_last: bool = False  # whether it only says that somebody wrote something then, and nobody until the next entry


def whole(text: str | None, otherwise: int = 0) -> int:
    """Return the whole number that a text is; anybody may have written it."""
    return int(text) if text and len(text) <= 18 and text.isascii() and text.isdigit() else otherwise


class Reading:
    """Makes entries of what a source reads, in the order of the journal. `user`: the id of a user, for user units."""

    def __init__(self, timeline: Timeline, user: int | None = None) -> None:
        self.timeline = timeline
        self._user = user
        self._ours = of_ours()
        self._manager = f"user@{user}.service"
        self._of_drills = frozenset(number for number, kind in self._ours.items() if kind in OF_DRILLS)
        self._may_drill = ("0",) if user is None else (str(user),)

    def entry(self, raw: Raw) -> Entry:
        """Return the entry."""
        if raw.is_last:
            return self.last_seen(raw)
        fields = raw.fields
        unit, run, trust = self._who(fields)
        kind = self._kind(fields, trust)
        source = fields.get("_SOURCE_REALTIME_TIMESTAMP")
        sent = whole(source, -1) if source else None
        at = self.timeline.sent(raw.boot, raw.wall, raw.monotonic, None if sent == -1 else sent)
        if trust is Trust.MACHINE:
            unit = ""
            if kind is Kind.SLEEPING:
                self.timeline.sleep()
            elif kind is Kind.AWAKE:
                self.timeline.awake()
        elif trust is Trust.MANAGER and (unit, kind) in SIGNS:
            kind, trust, unit = Kind.SHUTDOWN, Trust.MACHINE, ""
        elif trust is Trust.MANAGER and unit == "systemd-journald.service":
            kind, trust, unit = (Kind.JOURNALD_EXITED if kind is Kind.EXITED else Kind.TEXT), Trust.MACHINE, ""
        return Entry(kind, trust, at, raw.wall, unit, run, raw.boot, raw.monotonic, fields, raw)

    def last_seen(self, raw: Raw) -> Entry:
        """Return what the last entry of anybody says before the journal begins again: until then, all was as known."""
        at = self.timeline.place(raw.boot, raw.wall, raw.monotonic)
        fields = {LOG: raw.fields[LOG]} if LOG in raw.fields else {}
        return Entry(Kind.LAST_SEEN, Trust.MACHINE, at, raw.wall, "", "", raw.boot, raw.monotonic, fields)

    def _who(self, fields: Mapping[str, str]) -> tuple[str, str, Trust]:
        home = fields.get("_SYSTEMD_UNIT", "")
        number = fields.get("MESSAGE_ID", "")
        if number in self._of_drills and fields.get("_UID", "") in self._may_drill:
            return fields.get("UNIT", ""), "", Trust.DRILL
        if self._user is None:
            if fields.get("_PID") == "1":
                return fields.get("UNIT", ""), fields.get("INVOCATION_ID", ""), Trust.MANAGER
            named, own, run = fields.get("UNIT", ""), home, fields.get("_SYSTEMD_INVOCATION_ID", "")
        else:
            mine = fields.get("_SYSTEMD_USER_UNIT", "")
            if home == self._manager and mine == "init.scope":
                return fields.get("USER_UNIT", ""), fields.get("USER_INVOCATION_ID", ""), Trust.MANAGER
            own = mine if home == self._manager else ""
            named, run = fields.get("USER_UNIT", ""), fields.get("_SYSTEMD_INVOCATION_ID", "")
        if _is_of_machine(number, home):
            return "", "", Trust.MACHINE
        return self._who_else(fields, named, own, run)

    def _who_else(self, fields: Mapping[str, str], named: str, own: str, run: str) -> tuple[str, str, Trust]:
        """Return unit, run and trust of an entry that is not a manager's: rules 3, 4 and 6."""
        number = fields.get("MESSAGE_ID", "")
        if own and (number in self._ours or not named):
            return own, run, Trust.SERVICE
        if number in self._ours and not fields.get("_SYSTEMD_UNIT") and (told := fields.get("HAFTA_INVOCATION")):
            return "", told, Trust.LATE
        return named or own, run, Trust.UNVERIFIED

    def _kind(self, fields: Mapping[str, str], trust: Trust) -> Kind:
        number = fields.get("MESSAGE_ID", "")
        if trust is Trust.MANAGER:
            return OF_UNITS.get(number, Kind.TEXT) if number else of_text(fields.get("MESSAGE", ""))
        if trust is Trust.MACHINE:
            return _OF_MACHINE[number]
        return self._ours.get(number) or OF_UNITS.get(number, Kind.TEXT)


def _is_of_machine(number: str, home: str) -> bool:
    if number in OF_THE_JOURNAL:
        return home.startswith("systemd-journald") and home.endswith(".service")
    if number in OF_LOGIND:
        return home == "systemd-logind.service"
    return number in OF_SLEEP and home.startswith("systemd-") and home.endswith(".service")
