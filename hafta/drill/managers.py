"""The two managers of units, as a drill needs them: what a unit is now, starting it, and noting a drill in its log."""

from __future__ import annotations

import os
import time
from contextlib import suppress

from hafta import exits
from hafta.drill.subject import DEPENDENTS, NAMES, subject_of
from hafta.errors import HaftaError, UsageError
from hafta.frozen import Frozen
from hafta.observe import words
from hafta.observe.sources.systemd import BOOTED, full_name
from hafta.process.stat import read_process
from hafta.systemd.tools import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hafta.drill.subject import Subject
    from hafta.journal.drill_events import DrillEvent

PATIENCE = 150.0  # seconds that a start may take
LOG_PATIENCE = 5.0  # seconds until journald takes an entry
PROGRAM = "hafta-drill"
#: Which property of another unit names the one that it would go down with.
_NEEDS = ("Requires", "Requisite", "BindsTo", "PartOf", "Upholds")


class Systemd(Frozen):
    """systemd, or a user's own. It and its twin can be sent to the holder as text: `of_text`."""

    of_user: bool = False

    kind = words.SYSTEMD

    @property
    def text(self) -> str:
        """What `manager_of` makes it of."""
        return "user" if self.of_user else "system"

    def ask(self, *verb: str, inherited: tuple[int, ...] = ()) -> str:
        """Run systemctl, which also gets these descriptors; return what it prints. Raises HaftaError."""
        done = run("systemctl", *(["--user"] if self.of_user else []), *verb, timeout=PATIENCE, inherited=inherited)
        if done.returncode:
            what = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            raise HaftaError(f"systemctl {' '.join(verb)}: {what[0]}", "see systemctl status", status=exits.FAILED)
        return done.stdout

    def find(self, unit: str) -> Subject | None:
        """Return a unit; None if there is none of this name. Raises HaftaError."""
        text = self.ask("show", f"--property={','.join(('LoadState', *NAMES))}", "--", unit)
        facts = dict(line.partition("=")[::2] for line in text.splitlines())
        return None if facts.get("LoadState") == "not-found" else subject_of(facts)

    def start(self, unit: str) -> None:
        """Have it started, also where its start limit is met. Raises HaftaError."""
        with suppress(HaftaError):  # it has not failed
            self.ask("reset-failed", "--", unit)
        self.ask("start", "--", unit)

    def note(self, event: DrillEvent) -> None:
        """Write an entry into the journal, as soon as journald takes it. Raises HaftaError."""
        from hafta.journal.journald import JournaldSink

        sink, end = JournaldSink(PROGRAM), time.monotonic() + LOG_PATIENCE
        try:
            while not sink.send(event, 1, 1):
                if time.monotonic() > end:
                    raise HaftaError("journald does not take an entry", "see systemctl status systemd-journald")
                time.sleep(0.05)
        finally:
            sink.close()


class Embedded(Frozen):
    """The embedded overlord behind a control socket."""

    path: str

    kind = words.EMBEDDED
    of_user = False

    @property
    def text(self) -> str:
        """What `manager_of` makes it of."""
        return self.path

    def find(self, unit: str) -> Subject | None:
        """Return a unit that it runs; None if it runs none of this name. Raises HaftaError."""
        wanted = ["Id", "Names", *NAMES, *_NEEDS]
        with self._asking() as asking:
            units = [each["properties"] for each in asking.each("List", {"properties": wanted})]
        found = next((each for each in units if unit in (each.get("Id"), *each.get("Names", ()))), None)
        if found is None:
            return None
        names = {str(found["Id"]), *found.get("Names", ())}
        needing = [str(each["Id"]) for each in units if any(names & set(each.get(kind) or ()) for kind in _NEEDS)]
        return subject_of({**found, **dict.fromkeys(DEPENDENTS), "RequiredBy": needing})

    def start(self, unit: str) -> None:
        """Have it started, also where its start limit is met. Raises HaftaError."""
        with self._asking() as asking:
            asking.ask("ResetFailed", {"units": [unit]})
            done = asking.ask("Do", {"verb": "start", "units": [unit], "wait": True}, patience=PATIENCE)
        problem = next((each.get("message") or each.get("why") for each in done["jobs"]
                        if each.get("error") or each.get("result") not in {"done", None}), None)  # fmt: skip
        if problem:
            raise HaftaError(f"start of {unit}: {problem}", f"hafta ctl start {unit}", status=exits.FAILED)

    def note(self, event: DrillEvent) -> None:
        """Have it note a drill in its event log. Raises HaftaError."""
        limit = getattr(event, "limit_usec", None)
        more = {} if limit is None else {"limit_usec": limit}
        with self._asking() as asking:
            asking.ask("Drill", {"unit": event.unit, "drill": event.drill, **more})

    def _asking(self) -> Any:
        from hafta.control.asking import Asking

        try:
            return Asking(self.path)
        except OSError as error:
            hint = "see whether it runs: hafta ctl list-units"
            raise HaftaError(f"overlord at {self.path}: {error.strerror}", hint, status=exits.FAILED) from error


def manager_of(text: str) -> Systemd | Embedded:
    """Return the manager that a text names."""
    return Embedded(text) if text.startswith("/") else Systemd(text == "user")


def find(name: str, environ: Mapping[str, str], *, of_user: bool) -> tuple[Systemd | Embedded, Subject]:
    """Return who runs a unit, and the unit. Raises HaftaError: there is none, or it may not be drilled by us."""
    if any(sign in name for sign in "*?["):
        raise UsageError(f"{name!r} is a pattern", "name one unit")
    unit = full_name(name)
    if of_user or os.path.isdir(BOOTED):
        systemd = Systemd(of_user)
        if (subject := systemd.find(unit)) is not None:
            if not of_user and os.geteuid() != 0:
                raise HaftaError(f"no right to drill {unit}", "run this as root", status=exits.PERMISSION)
            return systemd, subject
    if not of_user:
        from hafta.control.places import sockets

        for path in sockets(environ):
            embedded = Embedded(path)
            with suppress(HaftaError):
                if (subject := embedded.find(unit)) is not None:
                    return embedded, subject
    hint = "see which there are: hafta status, systemctl list-units, hafta ctl list-units"
    raise HaftaError(f"there is no unit {unit} that runs here", hint, status=exits.NOT_FOUND)


def own_units() -> frozenset[str]:
    """Return the units in which this process runs, by its control group: one can be within another."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="replace") as file:
            paths = [line.rstrip("\n").split(":", 2)[2] for line in file]
    except (OSError, IndexError):
        return frozenset()
    return frozenset(part for path in paths for part in path.split("/") if part.endswith(".service"))


def own_line() -> frozenset[int]:
    """Return this process, its parent, and so on: an overlord without control groups knows a unit by its processes."""
    found, pid = set(), os.getpid()
    while pid > 0 and pid not in found:
        found.add(pid)
        process = read_process(pid)
        pid = 0 if process is None else process.parent
    return frozenset(found)
