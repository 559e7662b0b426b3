"""What the overlord hands over to services: sockets, connections, and what they have stored."""

from __future__ import annotations

from hafta.overlord.connections import Connections
from hafta.overlord.idle import Idle
from hafta.overlord.passing import Passed, standard
from hafta.overlord.paths import Paths
from hafta.overlord.socket_runner import SocketRunner
from hafta.overlord.standing import AT_REST
from hafta.overlord.table import RESTING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.overlord.manager import Manager
    from hafta.overlord.plan import Plan
    from hafta.overlord.runner import Runner
    from hafta.overlord.store import Stores
    from hafta.overlord.table import State
    from hafta.units.unit import Unit


class Handover:
    """Knows which descriptors a main process gets."""

    def __init__(self, manager: Manager, plan: Plan, make: Callable[[Unit], Runner], stores: Stores) -> None:
        self.paths = Paths(plan.own)
        self.idle = Idle()
        self._connections = Connections(manager, make)
        self.count = self._connections.count
        self.begin = self._connections.begin
        self._manager = manager
        self._stores = stores
        manager.history.listeners.append(self._moved)

    def trigger(self, service: str) -> None:
        """Have a service start, because somebody has connected."""
        self._manager.trigger(service)

    def is_busy(self, service: str) -> bool:
        """Tell whether a service has a process, or is on its way."""
        runner = self._manager.runners.get(service)
        return runner is not None and runner.state not in RESTING

    def passed(self, unit: Unit) -> Passed:
        """Return what the main process of a unit gets. Raises UnitError if it wants one socket and has not just one."""
        if connection := self._connections.get(unit.name):
            return standard(connection.passed(unit), unit)
        fds: list[int] = []
        names: list[str] = []
        for runner in self._sockets(unit):
            fds += [endpoint.fd for endpoint in runner.endpoints]
            names += [runner.fd_name] * len(runner.endpoints)
        sockets = len(fds)
        for stored in self._stores.of(unit.name):
            fds.append(stored.fd)
            names.append(stored.name)
        return standard(Passed(tuple(fds), tuple(names), sockets, unit.non_blocking), unit)

    def _moved(self, runner: Runner, _: State) -> None:
        """Drop what a unit has stored when it rests for good."""
        if runner.state in AT_REST and not self._manager.starts_again(runner.name):
            self._stores.release(runner.name)

    def started(self, name: str) -> None:
        """Let go of what only the main process is to have: a connection ends when its service closes it."""
        if connection := self._connections.get(name):
            connection.close()

    @property
    def is_ending(self) -> bool:
        """Whether nothing is started any more."""
        return self._manager.stopping

    def _sockets(self, unit: Unit) -> list[SocketRunner]:
        """Return the sockets of a service that are there, in the order of their names."""
        own = {*self._manager.order.triggering(unit.name), *unit.needs.sockets}
        found = [self._manager.runners.get(name) for name in sorted(own)]
        return [runner for runner in found if isinstance(runner, SocketRunner)]
