"""What one run is to do, worked out before anything is started: units, places, and the options that name units."""

from __future__ import annotations

import os
import resource

from hafta import exits
from hafta.errors import UsageError
from hafta.frozen import Frozen
from hafta.overlord.attributes import notes_on
from hafta.overlord.conflicts import settle_conflicts
from hafta.overlord.cycles import break_cycles, pulled_in
from hafta.units.generators import generators, not_run
from hafta.units.load import Loader, search_path
from hafta.units.names import Name
from hafta.units.roots import CONTROL, roots
from hafta.units.special import ENABLED
from hafta.units.users import dynamic_ids, find_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from hafta.settings import Values
    from hafta.units.roots import Roots
    from hafta.units.unit import Unit


LONGEST = 1024  # bytes of a directory's name below its root
LONGEST_PART = 255  # bytes between two slashes


class Reading(Frozen):
    """How units are read, those that are asked for later as well."""

    path: tuple[str, ...] = ()  # where they are looked up
    as_root: bool = False


class Demonstration(Frozen):
    """What --kill and --for ask for. `duration` 0 means until all has ended."""

    kills: Mapping[str, float] = {}  # unit -> seconds between two kills, about
    duration: float = 0.0


class Plan(Frozen):
    """One run."""

    units: Mapping[str, Unit]
    roots: Roots
    environ: Mapping[str, str]
    reading: Reading = Reading()
    notes: tuple[str, ...] = ()
    extras: Mapping[str, Mapping[str, str]] = {}  # unit ("" for all) -> what --set adds to its environment
    on_demand: frozenset[str] = frozenset()  # started by a socket, and not before
    demonstration: Demonstration = Demonstration()
    table: bool = False  # find processes by the table of processes, also where we could have cgroups
    descriptors: tuple[int, int, int] = (resource.RLIMIT_NOFILE, 1024, 1024)
    event_log: bool = True  # keep one
    identity: str = ""  # no other overlord has it: it marks our processes, and names our directory

    @property
    def introduced(self) -> tuple[Unit, ...]:
        """The units, and one of each template whose instances come with connections."""
        return with_samples(self.units.values())

    @property
    def own(self) -> str:
        """The directory of this run alone."""
        return os.path.join(self.roots.control, self.identity)

    def extra_for(self, name: str) -> Mapping[str, str]:
        """Return what --set adds to a unit's environment."""
        return {**self.extras.get("", {}), **self.extras.get(name, {})}


def make_plan(values: Values, operands: Sequence[str], environ: Mapping[str, str]) -> Plan:
    """Read the units. Raises UsageError for anything that is wrong with them or with the options."""
    if not operands or not all(operands):
        raise UsageError("which unit?", "name one: hafta run hafta.target")
    for folder in values.unit_path:
        if not os.path.isdir(folder):
            raise UsageError(f"--unit-path: {folder} is not a directory", "name directories that exist")
    identity = os.urandom(8).hex()
    places = roots(environ, values.runtime_dir, values.state_dir)
    if values.ephemeral:
        places = places.with_state(os.path.join(places.control, identity, "state"))
    loader = Loader(search_path(values.unit_path), places)
    units = loader.load(operands)
    _refuse_reserved(units)
    _refuse_manual(units, operands, loader)
    given = [loader.canonical(os.path.basename(operand)) for operand in operands]
    units, losers = settle_conflicts(units, given)
    units, left_out = break_cycles(units, given)
    units, who = settle_accounts(units, or_root=values.as_root)

    def own_name(name: str, option: str) -> str:
        return _known(loader.canonical(name), units, option)

    return Plan(
        units,
        places,
        environ,
        reading=Reading(loader.path, as_root=values.as_root),
        notes=(*loader.notes, *losers, *left_out, *who, *notes_on(with_samples(units.values())), *_of_machine(given)),
        extras=_extras(values.set, own_name),
        on_demand=frozenset(units) - pulled_in(units, given),
        demonstration=Demonstration(
            {own_name(name, "--kill"): seconds for name, seconds in values.kill}, getattr(values, "for")
        ),
        table=values.no_cgroups,
        event_log=not values.no_event_log,
        identity=identity,
    )


def _of_machine(given: Sequence[str]) -> list[str]:
    """Return what is to be said where all is run that is enabled on this machine."""
    return [] if ENABLED.isdisjoint(given) else not_run(generators())


def extend(plan: Plan, running: Mapping[str, Unit], name: str) -> tuple[dict[str, Unit], list[str]]:
    """Read one more unit with what it pulls in; return those that do not run yet, and what is to be said of them.

    Units that run stay as they are. Raises UsageError as make_plan does.
    """
    loader = Loader(plan.reading.path, plan.roots)
    found = loader.load([name])
    fresh = {each: unit for each, unit in found.items() if each not in running}
    _refuse_reserved(fresh)
    kept, left_out = break_cycles({**fresh, **running}, [*running, loader.canonical(name)])
    fresh, who = settle_accounts(
        {each: unit for each, unit in fresh.items() if each in kept}, or_root=plan.reading.as_root
    )
    return fresh, [*loader.notes, *left_out, *who, *notes_on(with_samples(fresh.values()))]


def settle_accounts(units: Mapping[str, Unit], *, or_root: bool) -> tuple[dict[str, Unit], list[str]]:
    """Return the units with the numbers of their dynamic users, and a sentence on each that is not who it should be."""
    if os.geteuid() != 0:
        return dict(units), []
    dynamic = {name: unit.account.user or Name(name).prefix for name, unit in units.items() if unit.account.dynamic}
    ids = dynamic_ids(dynamic.values())
    found, notes = {}, []
    for name, unit in units.items():
        number = ids[dynamic[name]] if name in dynamic else -1
        account = unit.account.replace(or_root=or_root, dynamic_id=number)
        if number >= 0 and find_credentials(account).uid == number:
            notes.append(f"{name}: DynamicUser= gives it user id {number}, without the sandbox that systemd adds")
        elif missing := find_credentials(account.replace(or_root=False)).missing_user:
            what = "runs as root (--as-root)" if or_root else "fails until there is one; --as-root runs it as root"
            notes.append(f"{name}: there is no user {missing}: {what}")
        found[name] = unit if account == unit.account else unit.replace(account=account)
        if unit.socket and (template := unit.socket.template):
            samples, more = settle_accounts({template.sample.name: template.sample}, or_root=or_root)
            template = template.replace(sample=samples[template.sample.name])
            found[name] = unit.replace(socket=unit.socket.replace(template=template))
            notes += more
    return found, notes


def with_samples(units: Collection[Unit]) -> tuple[Unit, ...]:
    """Return the units, and for each socket with Accept=yes the service that stands for those of its connections."""
    sockets = [unit.socket for unit in units if unit.socket and unit.socket.template]
    return (*units, *(socket.template.sample for socket in sockets))


def _refuse_manual(units: Mapping[str, Unit], operands: Sequence[str], loader: Loader) -> None:
    """Refuse units that ask not to be asked for."""
    for operand in operands:
        name = loader.canonical(os.path.basename(operand))
        if units[name].refuse_manual_start:
            hint = "ask for a unit that wants or requires it"
            raise UsageError(f"{name} is started by other units only (RefuseManualStart=yes)", hint)


def _refuse_reserved(units: Mapping[str, Unit]) -> None:
    """Refuse directories that are the overlord's own, and names with which no directory can be made."""
    for unit in with_samples(units.values()):
        for kind, folders in unit.directories.kinds():
            what = kind.capitalize()
            for name in (*folders.names, *(link for _, link in folders.links)):
                first = name.partition("/")[0]
                if first == CONTROL:
                    hint = f"choose another name in {unit.file}"
                    raise UsageError(f"{unit.name}: {what}Directory={name} is the overlord's own", hint)
                if len(os.fsencode(name)) > LONGEST or max(map(len, os.fsencode(name).split(b"/"))) > LONGEST_PART:
                    shown = f"{name[:40]}..."
                    hint = f"choose a shorter name in {unit.file}"
                    raise UsageError(f"{unit.name}: {what}Directory={shown} is too long for a directory", hint)


def _extras(
    assignments: Iterable[tuple[str, str, str]], own_name: Callable[[str, str], str]
) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for unit, name, value in assignments:
        found.setdefault(own_name(unit, "--set") if unit else "", {})[name] = value
    return found


def _known(name: str, units: Mapping[str, Unit], option: str) -> str:
    if name not in units:
        raise UsageError(f"{option}: {name} is not run here", f"one of: {', '.join(units)}", status=exits.NOT_FOUND)
    return name
