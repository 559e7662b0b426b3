"""One look at units for one request: directories of unit files are listed at most once, and only if they are needed."""

from __future__ import annotations

from hafta import exits
from hafta.errors import HaftaError
from hafta.overlord.control.properties import Facts, properties, unloaded
from hafta.overlord.history import Story
from hafta.units.enabled import Enabled
from hafta.units.load import Loader, full_name
from hafta.units.unit import Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.overlord.director import Director
    from hafta.overlord.plan import Plan
    from hafta.overlord.runner import Runner
    from hafta.process.loop import Loop


class Look:
    """Finds units by any of their names, those that are run and those that could be."""

    def __init__(self, runners: dict[str, Runner], plan: Plan, make: Callable[[Unit], Runner]) -> None:
        self._runners = runners
        self._plan = plan
        self._make = make
        self._aliases = {alias: name for name, runner in runners.items() for alias in runner.unit.about.names}
        self._loader: Loader | None = None
        self._enabled: Enabled | None = None

    def canonical(self, given: str) -> str:
        """Return the own name of a unit that is run; empty for another."""
        name = full_name(given)
        name = self._aliases.get(name, name)
        return name if name in self._runners else ""

    def full(self, given: str) -> str:
        """Return a name with its suffix."""
        return full_name(given)

    def find_running(self, given: str) -> Runner | None:
        """Return a unit that is run."""
        return self._runners.get(self.canonical(given))

    def find(self, given: str) -> Runner:
        """Return a unit that is run, or one at rest for another that could be. Raises HaftaError if there is none."""
        name = self.canonical(given)
        if name:
            return self._runners[name]
        if self._loader is None:
            self._loader = Loader(self._plan.reading.path, self._plan.roots)
        unit = self._loader.read(full_name(given))
        return self._runners.get(unit.name) or self._make(unit)

    def properties(self, given: str, wanted: frozenset[str], manager: Director, loop: Loop) -> dict[str, Any]:
        """Return the properties of a unit."""
        try:
            runner = self.find(given)
        except HaftaError as error:
            blank = Facts(self._make(Unit(full_name(given), "")), Story(), lambda _: "")
            return unloaded(blank, load_state(error), error.message, wanted)
        left = loop.left(("watchdog", runner.name))
        pinged = None if left is None else max(0.0, runner.watchdog - left)
        latest = manager.latest(runner.name) if runner.name in self._runners else None
        return properties(Facts(runner, manager.history.of(runner.name), self._state, pinged, latest), wanted)

    def _state(self, unit: Unit) -> str:
        if self._enabled is None:
            self._enabled = Enabled(self._plan.reading.path)
        return self._enabled.state(unit.name)


def load_state(error: HaftaError) -> str:
    """Return LoadState for the reason why a unit cannot be loaded."""
    if error.status == exits.NOT_FOUND:
        return "not-found"
    return "masked" if " is masked " in error.message else "bad-setting"
