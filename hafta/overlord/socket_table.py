"""The life of a .socket as a table: phase x event -> next phase and actions (docs/sockets.md). Nothing is opened here.

Rules
 1. A socket that is dead or failed has nothing open. Only such a one is opened.
 2. It listens: the first client starts its service, and from then on it is running, and we do not look any more:
    what waits in the queue is the service's to take.
 3. While its service is up, or on its way up or down, or waits for its restart, it is running. When the service rests,
    it listens again: what has come meanwhile starts the service again.
 4. A stop closes it, whatever its service does.
 5. It fails, and closes, when its service was started too often (the service's start limit, or TriggerLimitBurst=):
    else a client that waits would start it again at once, for ever.
 6. Any other event in any other phase changes nothing.

Invariant: *what is listening or running is open*. OPEN stands only in moves out of dead and failed, and CLOSE in all
that lead back there.
"""

from __future__ import annotations

from enum import Enum

from hafta.frozen import Frozen
from hafta.overlord.machine import Machine
from hafta.overlord.table import Event, Happening, State
from hafta.units.restart import Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.units.restart import Result


class Phase(Enum):
    """Where a socket stands; the value is what people are shown, as systemd names it."""

    DEAD = "dead"
    LISTENING = "listening"
    RUNNING = "running"
    FAILED = "failed"


class SocketEvent(Happening):
    """What can happen to a socket, besides a start and a stop (table.Event)."""

    INCOMING = "somebody has connected or sent something"
    BUSY = "its service is not at rest"
    IDLE = "its service rests"
    LIMITED = "its service was started too often"
    FLOODED = "it has started its service too often"
    BROKEN = "it cannot be opened"


class SocketAction(Enum):
    """What the overlord is to do, in the order given."""

    OPEN = "open all addresses"
    WATCH = "wait for somebody to connect"
    UNWATCH = "wait no longer"
    FLUSH = "drop what waits, with FlushPending="
    TRIGGER = "start the service"
    CLOSE = "close all, and remove what is not to stay"
    SAY_STOPPED = "report that it is closed"
    SAY_FAILED = "report that it failed"


class SocketMove(Frozen):
    """One cell of the table: the rule, the next phase, and the actions."""

    rule: int
    phase: Phase
    actions: tuple[SocketAction, ...] = ()


A = SocketAction
_OPEN = SocketMove(1, Phase.LISTENING, (A.OPEN, A.WATCH))
_STOP = SocketMove(4, Phase.DEAD, (A.UNWATCH, A.CLOSE, A.SAY_STOPPED))
_FAIL = SocketMove(5, Phase.FAILED, (A.UNWATCH, A.CLOSE, A.SAY_FAILED))

E = SocketEvent
TABLE: dict[Phase, dict[Happening, SocketMove]] = {
    Phase.DEAD: {Event.START: _OPEN},
    Phase.LISTENING: {
        E.INCOMING: SocketMove(2, Phase.RUNNING, (A.UNWATCH, A.TRIGGER)),
        E.BUSY: SocketMove(3, Phase.RUNNING, (A.UNWATCH,)),
        E.LIMITED: _FAIL,
        E.FLOODED: _FAIL,
        E.BROKEN: _FAIL,
        Event.STOP: _STOP,
        Event.KILL: _STOP,
    },
    Phase.RUNNING: {
        E.IDLE: SocketMove(3, Phase.LISTENING, (A.FLUSH, A.WATCH)),
        E.LIMITED: _FAIL,
        Event.STOP: _STOP,
        Event.KILL: _STOP,
    },
    Phase.FAILED: {Event.START: _OPEN},
}
_STATES = {
    Phase.DEAD: State.INACTIVE,
    Phase.LISTENING: State.ACTIVE,
    Phase.RUNNING: State.ACTIVE,
    Phase.FAILED: State.FAILED,
}
_RESULTS: dict[Happening, Result] = {
    E.LIMITED: "service-start-limit-hit",
    E.FLOODED: "trigger-limit-hit",
    E.BROKEN: "resources",
}


class SocketMachine(Machine):
    """One socket's way through the table. `state` is where the unit stands, as the manager sees it."""

    def __init__(self) -> None:
        super().__init__(Policy(limit_burst=0))
        self.phase = Phase.DEAD

    def take(self, event: Happening) -> tuple[SocketAction, ...]:
        """Move on and return what is to be done."""
        cell = TABLE[self.phase].get(event)
        if cell is None:
            return ()
        self.phase = cell.phase
        self.state = _STATES[self.phase]
        if self.phase is not Phase.FAILED:
            self.result = "success"
        else:
            self.result = _RESULTS[event]
        return cell.actions

    def inherit(self, other: Machine) -> None:
        """Stand where another one stands, which is at rest."""
        super().inherit(other)
        self.phase = other.phase if isinstance(other, SocketMachine) else self.phase

    def reset(self) -> None:
        """Forget a failure."""
        super().reset()
        if self.phase is Phase.FAILED:
            self.phase = Phase.DEAD

    def refuse(self, result: Result) -> None:
        """Fail without being opened: what the unit requires is not up, or what it asserts is not so."""
        super().refuse(result)
        self.phase = Phase.FAILED
