"""What one run is to do, worked out before anything is started: units, places, and the options that name units."""

from __future__ import annotations

import os

from hafta import exits
from hafta.errors import UsageError
from hafta.overlord.dirs import roots
from hafta.overlord.load import Loader, full_name, search_path
from hafta.overlord.order import Order
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hafta.overlord.dirs import Roots
    from hafta.overlord.unit import Unit
    from hafta.settings import Values


class Plan(Record):
    """One run. `duration` 0 means until all has ended."""

    units: Mapping[str, Unit]
    roots: Roots
    environ: Mapping[str, str]
    notes: tuple[str, ...] = ()
    extras: Mapping[str, Mapping[str, str]] = {}  # unit ("" for all) -> what --set adds to its environment
    kills: Mapping[str, float] = {}  # unit -> about every so many seconds
    duration: float = 0.0
    identity: str = ""  # no other overlord has it: it marks our processes, and names our directory

    @property
    def own(self) -> str:
        """The directory of this run alone."""
        return os.path.join(self.roots.control, self.identity)


def make_plan(values: Values, operands: Sequence[str], environ: Mapping[str, str]) -> Plan:
    """Read the units. Raises UsageError for anything that is wrong with them or with the options."""
    if not operands or not all(operands):
        raise UsageError("which unit?", "name one: hafta run hafta.target")
    for folder in values.unit_path:
        if not os.path.isdir(folder):
            raise UsageError(f"--unit-path: {folder} is no directory", "name directories that are there")
    identity = os.urandom(8).hex()
    places = roots(environ, values.runtime_dir, values.state_dir)
    if values.ephemeral:
        places = places.replace(state=os.path.join(places.control, identity, "state"))
    loader = Loader(search_path(values.unit_path), places)
    units = loader.load(operands)
    if not values.as_root:
        _refuse_to_be_root(units)
    Order(units)  # a cycle is an error before anything is started
    return Plan(
        units,
        places,
        environ,
        notes=tuple(loader.notes),
        extras=_extras(values.set, units),
        kills={_known(name, units, "--kill"): seconds for name, seconds in values.kill},
        duration=getattr(values, "for"),
        identity=identity,
    )


def _refuse_to_be_root(units: Mapping[str, Unit]) -> None:
    for unit in units.values():
        if missing := unit.credentials.missing:
            hint = f"mend User= in {unit.file}, or make that user, or run such units as root with --as-root"
            raise UsageError(f"{unit.name}: there is no user {missing} here", hint)


def _extras(assignments: Iterable[tuple[str, str, str]], units: Mapping[str, Unit]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for unit, name, value in assignments:
        found.setdefault(_known(unit, units, "--set") if unit else "", {})[name] = value
    return found


def _known(name: str, units: Mapping[str, Unit], option: str) -> str:
    full = full_name(name)
    if full not in units:
        raise UsageError(f"{option}: {full} is not run here", f"one of: {', '.join(units)}", status=exits.NOT_FOUND)
    return full
