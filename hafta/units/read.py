"""From the assignments of unit files to a Unit: each directive is honoured, harmless, or named as not honoured."""

from __future__ import annotations

from hafta.units import attributes, folders
from hafta.units.directives import DIRECTIVES, NAMES
from hafta.units.execstart import as_run
from hafta.units.ignored import is_harmless, is_sandbox
from hafta.units.restart import Policy, Statuses
from hafta.units.socketfile import COMMANDS, make_socket
from hafta.units.streams import Standard, Stream
from hafta.units.unit import INFINITE, About, Account, Commands, Needs, Unheeded, Unit
from hafta.units.unitfile import UnitError
from hafta.units.users import not_honoured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hafta.units.specifiers import Specifiers
    from hafta.units.unitfile import Entry

_SHORTHANDS = {"timeout": ("timeout_start", "timeout_stop")}
_SETS = ("success", "prevent", "force")
_FIELDS = {"User": "user", "Group": "group", "DynamicUser": "dynamic_user", "SupplementaryGroups": "groups"}
_NOTIFY = {"notify", "notify-reload"}
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
        if entry.name in known and entry.section in {"Unit", self.suffix.capitalize()}:
            field = known[entry.name].field
            for each in _SHORTHANDS.get(field, (field,)):
                self.taken.setdefault(each, []).append(entry)
        elif not is_harmless(entry):
            here = entry.section == self.suffix.capitalize()  # elsewhere, it may be the section that is wrong
            self.unheeded.setdefault(entry.name if here else f"[{entry.section}] {entry.name}", entry)

    def finish(self) -> Unit:
        """Read the values and put the unit together."""
        values = {field: value for field, entries in self.taken.items() if (value := self._read(entries)) is not None}
        needs = Needs(**{name: values.pop(name, ()) for name in dict.fromkeys(NAMES.values())})
        unlimited = Policy(limit_burst=0)  # a target has no start limit
        about = About(description=values.pop("description", ""))
        unit = Unit(self.specifiers.name.full, self.specifiers.file, about=about, needs=needs, policy=unlimited)
        if self.suffix == "service":
            unit = self._service(unit, values)
        elif self.suffix == "socket":
            unit = self._socket(unit, values)
        sandbox = tuple(sorted(filter(is_sandbox, self.unheeded)))
        others = [Unheeded(name, entry.line) for name, entry in self.unheeded.items() if name not in sandbox]
        said = {"unheeded": (*others, *self.lost), "sandbox": sandbox, "notes": tuple(self.notes)}
        return unit.replace(**{name: value for name, value in values.items() if name in Unit._fields}, **said)

    def _read(self, entries: list[Entry]) -> Any:
        """Return the value of a directive; None for what is reset to its default. Each line must be right."""
        directive = DIRECTIVES[entries[-1].section][entries[-1].name]
        found = [self._value(entry) if entry.value or not directive.forgets else None for entry in entries]
        if not directive.adds:
            return found[-1]
        kept: list[Any] = []
        for value in found:
            kept = [*kept, *value] if value is not None else []
        return tuple(kept)

    def _value(self, entry: Entry) -> Any:
        try:
            return DIRECTIVES[entry.section][entry.name].read(entry.value, self.specifiers)
        except ValueError as error:
            raise entry.wrong(str(error)) from None

    def _service(self, unit: Unit, values: dict[str, Any]) -> Unit:
        self._settle_times(values)
        self._settle_modes(values)
        sets: dict[str, Any] = {name: _joined(values.pop(name)) for name in _SETS if name in values}
        chosen = {name: values.pop(name) for name in _POLICY if name in values}
        commands = Commands(**{phase: values.pop(f"exec {phase}", ()) for phase in Commands._fields})
        self.notes += [note for each in commands.start if (note := as_run(each).note)]
        if values.pop("permissions_start_only", False):
            commands = _start_only(commands)
        limits = tuple(values.pop(name) for name in tuple(values) if name.startswith("limit "))
        others = values.get("notify_access", "none") in {"exec", "all"}
        policy = Policy(**chosen, **sets, any_may_notify=others)
        self._check(policy, commands)
        account = self._account(values)
        needs = unit.needs
        if sockets := values.pop("sockets", ()):
            needs = needs.replace(sockets=sockets, wants=(*needs.wants, *sockets), after=(*needs.after, *sockets))
        return unit.replace(
            needs=needs,
            policy=policy,
            commands=commands,
            account=account,
            limits=limits,
            attributes=attributes.gather(values, dynamic=account.dynamic),
            directories=folders.gather(values),
            standard=self._standard(values),
        )

    def _account(self, values: dict[str, Any]) -> Account:
        account = Account(
            values.pop("user", ""),
            values.pop("group", ""),
            values.pop("dynamic_user", False),
            groups=values.pop("groups", ()),
        )
        if lost := not_honoured(account):
            self.lost += [Unheeded(name, self.taken[_FIELDS[name]][-1].line) for name in lost]
            self.notes.append("only root can change users and groups: runs as the caller")
        return account

    def _standard(self, values: dict[str, Any]) -> Standard:
        """Return where the standard streams lead; what leads elsewhere than we can lead it is not honoured."""
        found = {name: values.pop(f"standard {name}") for name in Standard._fields if f"standard {name}" in values}
        for name, value in found.items():
            entry = self.taken[f"standard {name}"][-1]
            if isinstance(value, Stream) and not value.is_honoured:
                self.unheeded.setdefault(entry.name, entry)
        return Standard(**found)

    def _socket(self, unit: Unit, values: dict[str, Any]) -> Unit:
        try:
            found = make_socket(values, self.specifiers.name)
        except ValueError as error:
            hint = f"correct {self.specifiers.file}"
            raise UnitError(f"{unit.name}: expected {error}", hint) from None
        commands = Commands(**{phase: values.pop(f"exec {phase}", ()) for phase in COMMANDS.values()})
        triggers = (found.service,) if found.service else ()
        needs = unit.needs.replace(triggers=triggers, before=(*unit.needs.before, *triggers))
        return unit.replace(socket=found, needs=needs, commands=commands)

    def _settle_times(self, values: dict[str, Any]) -> None:
        if values.get("type") == "oneshot":
            values.setdefault("timeout_start", INFINITE)
        if "timeout_stop" in values:
            values.setdefault("timeout_abort", values["timeout_stop"])

    def _settle_modes(self, values: dict[str, Any]) -> None:
        if values.get("kill_mode") == "none":
            self.lost.append(Unheeded("KillMode", self.taken["kill_mode"][-1].line))
            values["kill_mode"] = "control-group"
            self.notes.append("no process outlives its unit: runs as KillMode=control-group")
        needs_word = values.get("type") in _NOTIFY or values.get("watchdog_sec") or values.get("store_max")
        if needs_word and values.get("notify_access", "none") == "none":
            values["notify_access"] = "main"

    def _check(self, policy: Policy, commands: Commands) -> None:
        """Refuse what systemd refuses to load."""
        if policy.type == "oneshot":
            if policy.restart in {"always", "on-success"}:
                raise self.taken["restart"][-1].wrong("anything but always and on-success, because of Type=oneshot")
            if "force" in self.taken and policy.force != Statuses():
                raise self.taken["force"][-1].wrong("nothing, because of Type=oneshot")
        if (action := self.unheeded.get("[Unit] SuccessAction")) and not (commands.start or commands.stop):
            raise action.wrong("a command, too: the embedded overlord does not end the machine")
        problem, hint = _wrong_number(policy, commands)
        if problem:
            raise UnitError(f"{self.specifiers.file}: {problem} for {self.specifiers.name.full}", hint)


def _start_only(commands: Commands) -> Commands:
    """Do what PermissionsStartOnly= asks for: all but ExecStart= are run with full privileges."""
    others = (phase for phase in Commands._fields if phase != "start")
    full = {phase: tuple(each.replace(privileged=True) for each in getattr(commands, phase)) for phase in others}
    return commands.replace(**full)


def _wrong_number(policy: Policy, commands: Commands) -> tuple[str, str]:
    """Return what is wrong with the number of commands, and what to do; empty if nothing is."""
    count = len(commands.start)
    if count > 1 and policy.type != "oneshot":
        return f"{count} commands in ExecStart=", "give it exactly one, or Type=oneshot, which runs them in turn"
    if count:
        return "", ""
    if policy.type != "oneshot":
        return "no ExecStart=", "give it one, or Type=oneshot and RemainAfterExit=yes"
    if not commands.stop:
        return "neither ExecStart= nor ExecStop=", "give it one; SuccessAction= alone is not enough here"
    return ("", "") if policy.remain else ("no ExecStart=", "give it one, or RemainAfterExit=yes")


def _joined(sets: tuple[Statuses, ...]) -> Statuses:
    found = Statuses()
    for each in sets:
        found = found.joined(each)
    return found
