"""A log for people: a head for each run, a line for what happened, another mark for what is missing."""

from __future__ import annotations

import re
import sys
import time

import click

from hafta.cli.table import put, say, shown, table
from hafta.observe.entry import Trust
from hafta.observe.lines import told
from hafta.observe.sources.journal import explanation
from hafta.observe.times import clock, dated, iso, lasting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.cli.past import Past
    from hafta.observe.closing import History
    from hafta.observe.entry import Entry
    from hafta.observe.lines import Line

BAD, NOTABLE = 3, 5  # syslog's error and notice


class Printer:
    """Prints lines, and remembers what it has explained."""

    def __init__(self, past: Past, *, explain: bool, names_units: bool) -> None:
        self.past = past
        self._explain = explain
        self._names_units = names_units
        self._run: tuple[str, str] | None = None
        self._day = ""
        self._explained: dict[str, str] = {}
        self._is_plain = "utf" not in (getattr(sys.stdout, "encoding", "") or "").lower()

    def line(self, line: Line) -> None:
        """Print a line, and before it the head of its run if that has changed."""
        entry = line.first
        if entry.unit and entry.trust is not Trust.UNVERIFIED:
            self._head(entry)
        mark = (":" if self._is_plain else "┊") if line.is_gap else ("|" if self._is_plain else "│")
        when = clock(entry.wall / 1e6)
        if line.last is not entry and line.last.wall - entry.wall > 1_000_000:
            when = f"{clock(entry.wall / 1e6, 0)}..{clock(line.last.wall / 1e6, 0)}"
        times = f"   x{line.count}" if line.count > 1 else ""
        text = f"{mark} {when:<18}  {_who(entry):<8} {shown(line.text)[:2000]}{times}"
        number = entry.fields.get("MESSAGE_ID", "")
        if self._explain and number and not line.is_gap and entry.trust is not Trust.UNVERIFIED:
            fields = line.last.fields
            meaning = explanation(number) if number not in self._explained else ""
            meaning = re.sub(r"@(\w+)@", lambda match: fields.get(match[1], match[0]), meaning)
            self._explained.setdefault(number, meaning)
        say([text], _colour(line))

    def close(self) -> None:
        """Print the explanations."""
        for text in filter(None, self._explained.values()):
            put("")
            for row in text.rstrip().splitlines():
                put(shown(row))

    def table(self, found: list[dict[str, Any]]) -> None:
        """Print the runs."""
        if not found:
            click.echo("hafta: there is no run in the journal", err=True)
            return
        rows = [("RUN", "FROM", "TO", "UP", "ENDED")]
        for one in found:
            begin, end = dated(one["begin"]), "-" if one["end"] is None else dated(one["end"])
            rows.append((one["run"][:8] or "-", begin, end, lasting(one["seconds"]), shown(one["ended"])))
        for cells in table(rows):
            say(cells)

    def _head(self, entry: Entry) -> None:
        day = time.strftime("%a %d %b %Y", time.localtime(max(0, min(entry.wall // 1_000_000, 2**40))))
        if (entry.unit, entry.run) != self._run or day != self._day:
            unit = f"  {shown(entry.unit)}" if self._names_units or self._run is None else ""
            put(f"run {shown(entry.run[:8]) or '-'}{unit}  {day}")
            self._run, self._day = (entry.unit, entry.run), day


def plain(entry: Entry, past: Past) -> dict[str, Any]:
    """Return an entry as the JSON has it."""
    fields = entry.fields
    return {
        "version": 1,
        "at": iso(past.wall(entry.at)),
        "clock": iso(entry.wall / 1e6),
        "unit": entry.unit,
        "run": entry.run,
        "boot": entry.boot,
        "kind": entry.kind.value,
        "trust": entry.trust.value,
        "message": fields.get("MESSAGE", ""),
        "message_id": fields.get("MESSAGE_ID"),
        "priority": entry.number("PRIORITY", 6),
        "stands_for": max(1, entry.number("HAFTA_REPEATED", 1)),
        "fields": {name: value for name, value in fields.items() if name.startswith("HAFTA_")},
    }


def runs(history: History, past: Past) -> list[dict[str, Any]]:
    """Return the runs of a unit, with times in seconds since 1970."""
    return [
        {
            "unit": history.unit,
            "run": one.run,
            "begin": past.wall(one.begin),
            "end": None if one.end is None else past.wall(one.end),
            "seconds": ((history.end if one.end is None else one.end) - one.begin) / 1e6,
            "ended": one.how,
        }
        for one in told(history)
    ]


def _who(entry: Entry) -> str:
    if entry.trust is Trust.DRILL:
        return "drill"
    if entry.trust in (Trust.MANAGER, Trust.MACHINE) and "HAFTA_EVENT" in entry.fields:
        return "overlord"
    return {Trust.MANAGER: "systemd", Trust.MACHINE: "machine"}.get(entry.trust, "")


def _colour(line: Line) -> str | None:
    priority = line.first.number("PRIORITY", 6)
    if line.is_gap:
        return "yellow"
    return "red" if priority <= BAD else "yellow" if priority < NOTABLE else None
