"""What the overlord keeps in its event log (hafta/eventlog): its own events, what its services report and print."""

from __future__ import annotations

from hafta.eventlog.format import LAST, OUTPUT, STDOUT, TRANSPORT
from hafta.eventlog.log import Log
from hafta.eventlog.place import claim
from hafta.journal.overlord_events import OverlordStarted, UnitEvent
from hafta.overlord.facts import Facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.journal.event import Event
    from hafta.overlord.director import Director
    from hafta.overlord.lines import Line
    from hafta.overlord.runner import Runner


class Recording:
    """Writes it, if there is an event log. `note` says something to people."""

    def __init__(self, manager: Director, note: Callable[[str], None]) -> None:
        self._manager = manager
        self._note = note
        self._facts = Facts()
        self._log: Log | None = None

    def open(self, state: str) -> None:
        """Begin an event log below %S; where there can be none, say so."""
        try:
            self._log = Log(claim(state), self._note)
        except OSError as error:
            self._note(f"there is no event log: {error.filename or state}: {error.strerror}; hafta log knows nothing")

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
        if self._log is None:
            return
        fields = {"MESSAGE": line.text, "PRIORITY": str(line.priority)}
        trusted = {TRANSPORT: STDOUT, **self._of(runner)}
        if line.continues:
            trusted["_LINE_BREAK"] = "line-max"
        self._log.take(OUTPUT, runner.name, fields, trusted)

    def settled(self) -> None:
        """Do what is due when all is done for now."""
        if self._log:
            self._log.live()

    def close(self) -> None:
        """Have all on the disk."""
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
