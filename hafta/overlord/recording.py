"""What the overlord keeps in its event log (hafta/eventlog): its own events, what its services report and print."""

from __future__ import annotations

import os
import time
from collections import deque

from hafta.eventlog.format import EVENTS, LAST, OUTPUT, STDOUT, TRANSPORT
from hafta.eventlog.log import Log
from hafta.eventlog.place import claim
from hafta.journal.overlord_events import OverlordStarted, UnitEvent
from hafta.journal.terminal import LEVELS
from hafta.overlord.facts import Facts
from hafta.overlord.notifications import QUEUED
from hafta.overlord.reports import Reports
from hafta.process.loop import SLICE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.journal.event import Event
    from hafta.overlord.director import Director
    from hafta.overlord.lines import Line
    from hafta.overlord.runner import Runner
    from hafta.process.loop import Loop

PRIORITIES = frozenset("01234567")
LAST_WORDS = 1.0  # seconds for what services have reported when the overlord ends
MOST = 1024  # lines of a unit that are expected, and units of which any is


class Recording:
    """Writes it, if there is an event log. `note` says something to people."""

    def __init__(self, manager: Director, note: Callable[[str], None]) -> None:
        self._manager = manager
        self._note = note
        self._facts = Facts()
        self._log: Log | None = None
        self._reports: Reports | None = None
        self._expected: dict[str, deque[str]] = {}  # unit: lines that are events, which are there already
        self._left = SLICE  # seconds of this turn for events that lines ask for

    def open(self, state: str) -> None:
        """Begin an event log below %S; where there can be none, say so."""
        try:
            self._log = Log(claim(state), self._note)
        except OSError as error:
            self._note(f"there is no event log: {error.filename or state}: {error.strerror}; hafta log knows nothing")

    def listen(self, path: str, loop: Loop, owner: Callable[[int], str]) -> None:
        """Take what services report at a socket. `owner` finds the unit of a process."""
        if self._log is None:
            return
        if self._reports:
            loop.forget(self._reports)
            self._reports.close()
            self._reports = None
        try:
            mode = 0o777 if os.geteuid() == 0 else 0o700  # the kernel's word on the sender decides whose it is
            self._reports = Reports(path, mode, owner, self._run, self._take)
        except OSError as error:
            self._note(f"services report no events to the event log: {path}: {error.strerror}")
        else:
            loop.watch(self._reports, self._reports.take)

    @property
    def path(self) -> str:
        """Where services report; empty: nowhere."""
        return self._reports.path if self._reports else ""

    @property
    def is_whole(self) -> bool:
        """Whether nobody has swept the socket away."""
        return self._reports is None or self._reports.is_whole

    def hear(self, most: int) -> None:
        """Take what services have reported."""
        if self._reports:
            self._reports.take(most)

    def buried(self, pid: int, unit: str) -> None:
        """Note that a process of a unit has ended."""
        if self._reports and unit:
            self._reports.buried(pid, unit)

    def _take(self, unit: str, fields: dict[str, Any], trusted: dict[str, str]) -> None:
        if self._log is None:
            return
        self._log.take(EVENTS, unit, fields, trusted)
        if unit and len(self._expected) < MOST:
            lines = self._expected.setdefault(unit, deque(maxlen=MOST))
            lines.append(line_of(fields))

    def _is_reported(self, runner: Runner, line: Line) -> bool:
        """Tell whether a line is an event that has come as such, which it did before (hafta/journal/recorded.py)."""
        if self._reports is None:
            return False
        if self._left > 0:  # else a flood of events could be taken for each line; the line is then kept, too
            begun = time.monotonic()
            self._reports.take()
            self._left -= time.monotonic() - begun
        lines = self._expected.get(runner.name, ())
        if line.text not in lines:
            return False
        while lines and self._expected[runner.name].popleft() != line.text:
            pass
        if not self._expected[runner.name]:
            del self._expected[runner.name]
        return True

    def report(self, event: Event) -> None:
        """Write an event of the overlord itself."""
        if self._log is None:
            return
        more = {LAST: self._log.before} if isinstance(event, OverlordStarted) and self._log.before else {}
        if isinstance(event, UnitEvent) and (runner := self._manager.runners.get(event.unit)):
            again, run = self._manager.starts_again(event.unit), self._run(event.unit)
            more = self._facts.of(event, run, runner.machine, again=again) if runner.unit.is_service else {}
        self._log.report(event, more)

    def line(self, runner: Runner, line: Line) -> None:
        """Write a line that a service has printed."""
        if self._log is None or not line.text.strip():  # empty lines are not kept, as by journald
            return
        if ": " in line.text and self._is_reported(runner, line):
            return
        fields = {"MESSAGE": line.text, "PRIORITY": str(line.priority)}
        trusted = {TRANSPORT: STDOUT, **self._of(runner)}
        if line.continues:
            trusted["_LINE_BREAK"] = "line-max"
        self._log.take(OUTPUT, runner.name, fields, trusted)

    def settled(self) -> None:
        """Do what is due when all is done for now."""
        self._left = SLICE
        if self._log:
            self._log.live()

    def close(self) -> None:
        """Have all on the disk."""
        if self._reports:
            self._reports.take(QUEUED, LAST_WORDS)
            self._reports.close()
            self._reports = None
        if self._log:
            self._log.close()
            self._log = None

    def _run(self, name: str) -> str:
        return self._manager.history.of(name).invocation

    def _of(self, runner: Runner) -> dict[str, str]:
        """Return what is known of an entry of a unit."""
        run = self._run(runner.name)
        known = {"_UID": str(runner.uid), "_SYSTEMD_UNIT": runner.name}
        return {**known, "_SYSTEMD_INVOCATION_ID": run} if run else known


def line_of(fields: dict[str, Any]) -> str:
    """Return the line that reports an event to a person (hafta/journal/terminal.py), without what a limit cuts off."""
    priority = fields.get("PRIORITY")
    word = LEVELS.get(int(priority), ("", ""))[0] if isinstance(priority, str) and priority in PRIORITIES else ""
    parts = (fields.get("SYSLOG_IDENTIFIER"), word, fields.get("MESSAGE"))
    return ": ".join(part for part in parts if isinstance(part, str) and part)
