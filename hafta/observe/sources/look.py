"""One look at everything: the sources side by side, and what they say together."""

from __future__ import annotations

import os

from hafta import exits
from hafta.frozen import Frozen
from hafta.observe.options import NOT_RUNNING
from hafta.observe.sources import systemd
from hafta.observe.sources.trust import ROOT, is_unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from hafta.observe.sources.published import Published
    from hafta.observe.state import Now, Service

SERVICE = ".service"  # what is looked at without being named
MOST = 256  # files of one user, other than root: a user who leaves more hides only his own
BATCH = 500  # units in one question: all arguments of a command have to fit into 128 KiB


class Seen(Frozen):
    """What was seen, the worst first; what could not be, and who can; which names are unknown; the exit status."""

    services: tuple[Service, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    status: int
    now: Now


def look(
    names: Sequence[str],
    environ: Mapping[str, str],
    *,
    of_user: bool = False,
    everything: bool = False,
    log: bool = True,
) -> Seen:
    """Look at services: those that are named by unit or sequence, else all of HAFTA's. `log`: the journal, too."""
    asked = _Asked(names, environ, of_user=of_user)  # now: systemctl works while we import and read
    from hafta.observe import words
    from hafta.observe.sources import overlord, records
    from hafta.observe.sources.services import services_of, unit_of

    embedded, missing = ([], []) if of_user else overlord.ask(environ)
    found, closed = records.find_here(environ)
    entries = within(found, "records", missing)
    missing += [f"records in {path}: only root and the service's own user" for path in closed]
    missing += asked.more(filter(None, map(unit_of, entries)))
    known: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for kind, units in (("embedded", filter(asked.is_wanted_of_overlord, embedded)), ("systemd", asked.units)):
        for unit in units:
            if unit.get("LoadState") != "not-found":
                known.setdefault(str(unit.get("Id", "")), (kind, unit))
    services = services_of(known, asked.published, entries, environ, of_user=of_user)
    shown = [each for each in services[0] if everything or each.overlord or each.health != words.STOPPED]
    chosen, unknown = _named(names, shown, asked.ids) if names else (shown, ())
    status = _status(chosen, unknown, missing, named=bool(names))
    if log:
        chosen = _with_the_last_day(chosen, missing, environ, of_user=of_user)
    return Seen(tuple(chosen), tuple(missing), unknown, status, services[1])


def _with_the_last_day(
    services: list[Service], missing: list[str], environ: Mapping[str, str], *, of_user: bool
) -> list[Service]:
    """Return them with what the journal, or the event log of their overlord, says; say what could not be seen."""
    from hafta.observe import words

    of_systemd = {each.unit: each.facts for each in services if each.overlord == words.SYSTEMD}
    embedded = {each.unit: each.facts for each in services if each.overlord == words.EMBEDDED}
    if not of_systemd and not embedded:
        return services
    from hafta.observe.sources.day import read, read_eventlog

    days, unseen = read(of_systemd, of_user=of_user) if of_systemd else ({}, [])
    more, unseen_more = read_eventlog(embedded, environ) if embedded else ({}, [])
    days |= more
    missing += [*unseen, *unseen_more]
    return [each.replace(recent=days.get(each.unit)) if each.overlord else each for each in services]


class _Asked:
    """What systemd is asked, at once for the units that are known by then, and again for those that records name."""

    def __init__(self, names: Sequence[str], environ: Mapping[str, str], *, of_user: bool) -> None:
        self._environ, self._of_user = environ, of_user
        self.units: list[dict[str, Any]] = []
        self.missing: list[str] = []
        self.is_there = of_user or os.path.isdir(systemd.BOOTED)
        self.ids: dict[str, str] = {}  # what systemd calls each unit that it was asked for: that may be an alias
        self._running: list[tuple[list[str], systemd.Show]] = []
        self._named = {full for name in names if is_unit(full := systemd.full_name(name))}
        self._names: set[str] = set()
        self._begin(self._named)
        from hafta.observe.sources import published

        found = [each for each in published.find(environ) if self._is_wanted(each)]
        self.published = within(found, "descriptions", self.missing)
        self._begin(each.unit for each in self.published if each.unit.endswith(SERVICE))

    def _is_wanted(self, each: Published) -> bool:
        """Tell whether it is of the manager that is asked: that of the user, or that of the system."""
        own = self._environ.get("XDG_RUNTIME_DIR", "")
        return not own or os.geteuid() == 0 or each.path.startswith(f"{own}/") == self._of_user or not self.is_there

    def is_wanted_of_overlord(self, unit: Mapping[str, Any]) -> bool:
        """Tell whether a unit of an overlord that tells all is one to show: each service, and what is named."""
        return str(unit.get("Id", "")).endswith(SERVICE) or not self._named.isdisjoint(called(unit))

    def _begin(self, units: Iterable[str]) -> None:
        """Ask for those of them that have not been asked for."""
        new = sorted({*units} - self._names) if self.is_there else []
        self._names.update(new)
        for at in range(0, len(new), BATCH):
            wanted = new[at : at + BATCH]
            try:
                self._running.append((wanted, systemd.Show(wanted, self._environ, of_user=self._of_user)))
            except systemd.Unanswered as error:
                self.missing.append(f"systemd: {error}")

    def more(self, holders: Iterable[str]) -> list[str]:
        """Ask for the services that records name, too; return what could not be seen."""
        self._begin(holder for holder in holders if holder.endswith(SERVICE))
        for wanted, show in self._running:
            try:
                answers = show.answer()
            except systemd.Unanswered as error:
                self.missing.append(f"systemd: {error}")
                continue
            self.units += answers
            if len(answers) == len(wanted):  # a block for each, in this order
                self.ids |= {name: str(each.get("Id", "")) for name, each in zip(wanted, answers, strict=True)}
        return list(dict.fromkeys(self.missing))


def _named(
    names: Sequence[str], services: Sequence[Service], ids: Mapping[str, str]
) -> tuple[list[Service], tuple[str, ...]]:
    chosen, unknown = [], []
    for name in names:
        full = systemd.full_name(name)
        units = {name, full, ids.get(full, full)}
        matches = [
            each
            for each in services
            if each.unit in units or full in called(each.facts) or any(p.sequence == name for p in each.sequences)
        ]
        chosen += [each for each in matches if each not in chosen]
        if not matches:
            unknown.append(name)
    return sorted(chosen, key=list(services).index), tuple(unknown)


def within(files: Iterable[Any], what: str, missing: list[str]) -> list[Any]:
    """Return them without what is more than MOST of one owner, and say whose that is."""
    count: dict[int, int] = {}
    kept = []
    for each in files:
        count[each.owner] = count.get(each.owner, 0) + 1
        if each.owner == ROOT or count[each.owner] <= MOST:
            kept.append(each)
    many = {owner: number for owner, number in count.items() if owner != ROOT and number > MOST}
    missing += [f"{what} of user {owner}: {number}, of which {MOST} are looked at" for owner, number in many.items()]
    return kept


def called(facts: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of a unit of an embedded overlord, which tells them all at once."""
    return facts.get("Names") or ()


def _status(services: Sequence[Service], unknown: Sequence[str], missing: Sequence[str], *, named: bool) -> int:
    from hafta.observe import words

    if unknown:
        return exits.PERMISSION if missing and not services else exits.NOT_FOUND
    if not services and missing:
        return exits.PERMISSION
    if any(each.health in words.BAD for each in services):
        return exits.FAILED
    return NOT_RUNNING if named and any(each.health == words.STOPPED for each in services) else exits.OK
