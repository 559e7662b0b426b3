"""daemon-reload: the files of all units are read again, a few at a time, so that the loop has its turns between."""

from __future__ import annotations

import time

from hafta.errors import HaftaError
from hafta.overlord.cycles import break_cycles
from hafta.overlord.plan import settle_accounts
from hafta.units.load import Loader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.overlord.control.host import Host
    from hafta.overlord.director import Director
    from hafta.overlord.plan import Plan
    from hafta.process.loop import Loop
    from hafta.units.unit import Unit

    #: Takes the names of units that have changed, and a sentence on each that stays as it was.
    Ended = Callable[[list[str], list[str]], None]

SLICE = 0.02  # seconds


class Rereading:
    """Reads all units again; then tells who waits for it, once."""

    def __init__(self, manager: Director, plan: Plan, loop: Loop, host: Host) -> None:
        self._manager = manager
        self._plan = plan
        self._loop = loop
        self._host = host
        self._loader = Loader(plan.reading.path, plan.roots)
        self._waiting = manager.lasting()[::-1]
        self._units: dict[str, Unit] = {}
        self._problems: list[str] = []
        self._ended: list[Ended] = []

    def begin(self, ended: Ended) -> None:
        """Begin, and call back at the end."""
        self._ended.append(ended)
        self._go_on()

    def _go_on(self) -> None:
        self._loop.set_timer(("reread", str(id(self))), 0.0, self._step)

    def _step(self) -> None:
        end = time.monotonic() + SLICE
        while self._waiting and time.monotonic() < end:
            name = self._waiting.pop()
            try:
                unit = self._loader.read(name)
                if unit.name == name:  # else it is an alias by now, of a unit that may run as well
                    self._units[name] = unit
            except HaftaError as error:
                self._problems.append(f"{name} stays as it was: {error}; {error.hint}")
        if self._waiting:
            self._go_on()
            return
        changed = self._take()
        for ended in self._ended:
            ended(changed, self._problems)

    def _take(self) -> list[str]:
        """Have the manager take what has been read, unless the units would then form a cycle."""
        units = {name: unit for name, unit in self._units.items() if name in self._manager.runners}
        try:
            units, _ = settle_accounts(units, or_root=self._plan.reading.as_root)
            latest = {name: self._manager.latest(name) for name in self._manager.runners}
            kept, left_out = break_cycles({**latest, **units}, list(latest))
            if len(kept) < len(latest):
                self._problems += [f"all units stay as they were: {text}" for text in left_out]
                return []
            self._host.note_estate(units)
        except (HaftaError, OSError) as error:
            self._problems.append(f"all units stay as they were: {error}")
            return []
        return self._manager.renew(units)
