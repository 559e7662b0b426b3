"""The manager, and what people may ask of it while it runs (control/)."""

from __future__ import annotations

from hafta.overlord.manager import Manager
from hafta.overlord.order import Order
from hafta.overlord.standing import Agenda
from hafta.overlord.table import ENDING, RESTING, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hafta.journal.event import Event
    from hafta.overlord.manager import Inquire
    from hafta.overlord.runner import Runner
    from hafta.units.unit import Unit


class Director(Manager):
    """Starts, stops and restarts single units, takes more of them in, and takes what their files say by now.

    A unit whose files have changed is another one from its next start on. Until then it is what it was.
    """

    def __init__(
        self,
        units: Mapping[str, Unit],
        report: Callable[[Event], None],
        inquire: Inquire,
        make: Callable[[Unit], Runner],
    ) -> None:
        super().__init__(units, report, inquire)
        self._make = make
        self._reread: dict[str, Unit] = {}  # by name: what comes at the next start

    def start(self, asked: str) -> None:
        """Have a unit start, with what it pulls in. One that is being stopped starts when it has ended."""
        to_do, seen = [asked], {asked}
        while to_do and not self.stopping:
            name = to_do.pop()
            runner = self.runners[name]
            if name in self._standing.leaving or runner.state in ENDING:
                self._standing.leaving.add(name)
                self._standing.again.add(name)
                self._touch(name)
            elif runner.state in RESTING and (name == asked or self._is_missing(name)):
                self._wait(name)
            more = [other for other in self.latest(name).needs.pulled if other in self.runners and other not in seen]
            seen.update(more)
            to_do += more

    def stop(self, name: str) -> None:
        """Have a unit stop, and all that goes with it."""
        self._leave(name)

    def restart(self, name: str) -> None:
        """Have a unit stop and start again, and so what is up and goes with it; one at rest starts."""
        if self.stopping or self.runners[name].state in RESTING:
            self.start(name)
            return
        self._standing.leaving.add(name)
        self._standing.again.add(name)
        self._touch(name)
        self._take_along(name)
        for other in self.order.required(name):
            if self._is_missing(other):
                self._ask(other)

    def reset_failed(self, name: str) -> None:
        """Forget that a unit has failed, and how often it has been started."""
        runner = self.runners[name]
        before = runner.state
        runner.machine.reset()
        self._changed(runner, before)
        if before is State.FAILED:
            self._standing.done.discard(name)

    def is_pending(self, name: str) -> bool:
        """Tell whether a unit waits for its turn to start or to stop."""
        return name in self._standing or name in self._standing.again

    def enlarge(self, units: Mapping[str, Unit]) -> None:
        """Take more units in. They are at rest, and part of the order from now on."""
        self.runners.update({name: self._make(unit) for name, unit in units.items()})
        self._order_again()

    def renew(self, units: Mapping[str, Unit]) -> list[str]:
        """Take what the files of units say by now; return the names of those that have changed."""
        changed = {name: unit for name, unit in units.items() if unit != self.latest(name)}
        self._reread.update(changed)
        if changed:
            self._order_again()
        return sorted(changed)

    def latest(self, name: str) -> Unit:
        """Return a unit as it is from its next start on."""
        return self._reread.get(name) or self.runners[name].unit

    def lasting(self) -> list[str]:
        """Return the names of all units but those that are forgotten when they have ended."""
        return sorted(self.runners.keys() - self._passing.keys())

    def _start(self, runner: Runner) -> None:
        if unit := self._reread.pop(runner.name, None):
            fresh = self._make(unit)
            fresh.machine.inherit(runner.machine)
            self.runners[runner.name] = runner = fresh
        super()._start(runner)

    def _order_again(self) -> None:
        self.order = Order({name: self.latest(name) for name in self.runners})
        self._following.relate(self.order.relations)
        rank = {name: at for at, name in enumerate(self.order.sequence)}
        self._starts = Agenda(rank, len(rank))
        self._stops = Agenda({name: -at for name, at in rank.items()}, -len(rank))
        for name in self.runners:
            self._line_up(name)
