"""From the assignments of unit files to a Unit: each directive is honoured, harmless, or named as not honoured."""

from __future__ import annotations

from hafta.overlord.directives import DIRECTIVES, HARMLESS, is_sandbox
from hafta.overlord.execstart import ExecStart
from hafta.overlord.restart import Policy, Statuses
from hafta.overlord.unit import INFINITE, Needs, Unheeded, Unit
from hafta.overlord.users import find_credentials
from hafta.systemd.unitfile import UnitError, in_force

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hafta.overlord.specifiers import Specifiers
    from hafta.overlord.unit import Command
    from hafta.systemd.unitfile import Entry

_NEEDS = ("wants", "requires", "binds_to", "part_of", "after", "before")
_SHORTHANDS = {"timeout": ("timeout_start", "timeout_stop")}
_SETS = ("success", "prevent", "force")
_POLICY = ("type", "restart", "remain", "limit_interval", "limit_burst")


def read_unit(entries: Iterable[Entry], specifiers: Specifiers) -> Unit:
    """Return the unit. Raises UnitError naming file, line, directive and value of what cannot be understood."""
    reader = _Reader(specifiers)
    for entry in entries:
        reader.take(entry)
    return reader.finish()


class _Reader:
    def __init__(self, specifiers: Specifiers) -> None:
        self.specifiers = specifiers
        self.suffix = specifiers.name.suffix
        self.taken: dict[str, list[Entry]] = {}
        self.unheeded: dict[str, Entry] = {}
        self.lost: list[Unheeded] = []
        self.notes: list[str] = []

    def take(self, entry: Entry) -> None:
        """Put an entry with those of its directive, or note that it is not honoured."""
        known = DIRECTIVES.get(entry.section, {})
        if entry.name in known and not (entry.section == "Service" and self.suffix != "service"):
            field = known[entry.name].field
            for each in _SHORTHANDS.get(field, (field,)):
                self.taken.setdefault(each, []).append(entry)
        elif not _is_harmless(entry):
            here = entry.section == self.suffix.capitalize()  # elsewhere, it may be the section that is wrong
            self.unheeded.setdefault(entry.name if here else f"[{entry.section}] {entry.name}", entry)

    def finish(self) -> Unit:
        """Read the values and put the unit together."""
        values = {field: value for field, entries in self.taken.items() if (value := self._read(entries)) is not None}
        needs = Needs(**{name: values.pop(name, ()) for name in _NEEDS})
        unlimited = Policy(limit_burst=0)  # a target has no start limit
        unit = Unit(self.specifiers.name.full, self.specifiers.file, needs=needs, policy=unlimited)
        if self.suffix == "service":
            unit = self._service(unit, values)
        unit = unit.replace(**{name: value for name, value in values.items() if name in Unit._fields})
        sandbox = tuple(sorted(filter(is_sandbox, self.unheeded)))
        others = [Unheeded(name, entry.line) for name, entry in self.unheeded.items() if name not in sandbox]
        return unit.replace(unheeded=(*others, *self.lost), sandbox=sandbox, notes=tuple(self.notes))

    def _read(self, entries: list[Entry]) -> Any:
        """Return the value of a directive; None for what is reset to its default."""
        adds = DIRECTIVES[entries[-1].section][entries[-1].name].adds
        if not adds:
            return self._value(entries[-1]) if entries[-1].value else None
        return sum((self._value(entry) for entry in in_force(entries)), ())

    def _value(self, entry: Entry) -> Any:
        try:
            return DIRECTIVES[entry.section][entry.name].read(entry.value, self.specifiers)
        except ValueError as error:
            raise entry.wrong(str(error)) from None

    def _service(self, unit: Unit, values: dict[str, Any]) -> Unit:
        self._settle_times(values)
        self._settle_modes(values)
        sets: dict[str, Any] = {name: _joined(values.pop(name, ())) for name in _SETS}
        chosen = {name: values.pop(name) for name in _POLICY if name in values}
        exec_start, command = self._command(values.pop("exec", ()))
        limits = tuple(values.pop(name) for name in tuple(values) if name.startswith("limit "))
        policy = Policy(**chosen, **sets, ignore_failure=exec_start.ignores_failure)
        if policy.type == "oneshot" and policy.restart in {"always", "on-success"}:
            raise self.taken["restart"][-1].wrong("anything but always and on-success: Type=oneshot cannot have them")
        credentials, lost, why = find_credentials(values.pop("user", ""), values.pop("group", ""))
        self.lost += [Unheeded(name, self.taken[name.lower()][-1].line) for name in lost]
        self.notes += why
        path, optional = values.get("working_directory", ("", False))
        if path == "~":
            values["working_directory"] = (credentials.home or self.specifiers.expand("%h"), optional)
        return unit.replace(policy=policy, command=command, credentials=credentials, limits=limits)

    def _settle_times(self, values: dict[str, Any]) -> None:
        if values.get("type") == "oneshot":
            values.setdefault("timeout_start", INFINITE)
        values.setdefault("timeout_abort", values.get("timeout_stop", Unit.timeout_abort))

    def _settle_modes(self, values: dict[str, Any]) -> None:
        if values.get("type") in {"notify-reload", "idle"}:
            self.lost.append(Unheeded("Type", self.taken["type"][-1].line))
            values["type"] = {"notify-reload": "notify", "idle": "simple"}[values["type"]]
            self.notes.append(f"runs as Type={values['type']}")
        if values.get("kill_mode") == "none":
            self.lost.append(Unheeded("KillMode", self.taken["kill_mode"][-1].line))
            values["kill_mode"] = "control-group"
            self.notes.append("no process outlives its unit: runs as KillMode=control-group")
        needs_word = values.get("type") == "notify" or values.get("watchdog_sec")
        if needs_word and values.get("notify_access", "none") == "none":
            values["notify_access"] = "main"

    def _command(self, lines: tuple[str, ...]) -> tuple[ExecStart, Command]:
        if len(lines) != 1:
            problem = f"{len(lines)} ExecStart= lines" if lines else "no ExecStart="
            hint = "give it exactly one: the embedded overlord runs one main process per unit"
            raise UnitError(f"{self.specifiers.file}: {problem} for {self.specifiers.name.full}", hint)
        entry = in_force(self.taken["exec"])[-1]
        try:
            exec_start = ExecStart(lines[0], self.specifiers)
            command = exec_start.command()
        except ValueError as error:
            raise entry.wrong(str(error)) from None
        if exec_start.lost_prefixes:
            self.lost.append(Unheeded(f"the prefix {exec_start.lost_prefixes} of ExecStart", entry.line))
        if command.note:
            self.notes.append(command.note)
        return exec_start, command


def _is_harmless(entry: Entry) -> bool:
    if entry.section.startswith("X-") or entry.name.startswith("X-"):
        return True
    harmless = HARMLESS.get(entry.section, {})
    if entry.name not in harmless:
        return False
    wanted = harmless[entry.name]
    return wanted is None or not entry.value or entry.value in wanted


def _joined(sets: tuple[Statuses, ...]) -> Statuses:
    found = Statuses()
    for each in sets:
        found = found.joined(each)
    return found
