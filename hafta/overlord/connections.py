"""Connections of sockets with Accept=yes: each gets an instance of a template, which is forgotten when it ends."""

from __future__ import annotations

from hafta.overlord.connection import instance_name
from hafta.units.names import Name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.overlord.connection import Connection
    from hafta.overlord.manager import Manager
    from hafta.overlord.runner import Runner
    from hafta.units.template import Template
    from hafta.units.unit import Unit


class Connections:
    """All connections of the overlord, by the name of their service."""

    def __init__(self, manager: Manager, make: Callable[[Unit], Runner]) -> None:
        self._manager = manager
        self._make = make
        self._live: dict[str, Connection] = {}
        self._counts: dict[tuple[str, str], int] = {}  # by socket and source; all of a socket have the source ""
        self._accepted: dict[str, int] = {}

    def count(self, owner: str, source: str = "") -> int:
        """Return how many connections a socket has, all or from one source."""
        return self._counts.get((owner, source), 0)

    def get(self, name: str) -> Connection | None:
        """Return the connection of a service; None for another service."""
        return self._live.get(name)

    def begin(self, connection: Connection, template: Template) -> None:
        """Start the service of a connection. Raises OSError if the client is gone, UnitError for a wrong value."""
        owner = connection.owner
        assert connection.socket
        number = self._accepted.get(owner, 0)
        name = instance_name(Name(owner).prefix, number, connection.socket)
        unit = template.instance(name)
        needs = unit.needs.replace(after=(*unit.needs.after, owner))
        # It is not started again: its connection is gone then.
        runner = self._make(unit.replace(needs=needs, policy=unit.policy.replace(restart="no")))
        self._accepted[owner] = number + 1
        self._live[name] = connection
        self._add(connection, 1)
        self._manager.admit(runner, lambda: self._ended(name))

    def _ended(self, name: str) -> None:
        connection = self._live.pop(name)
        connection.close()
        self._add(connection, -1)

    def _add(self, connection: Connection, change: int) -> None:
        for source in {"", connection.source}:
            key = connection.owner, source
            if not (count := self._counts.pop(key, 0) + change):
                continue
            self._counts[key] = count
