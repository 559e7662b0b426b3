"""The life of a .socket as a table: phase x event -> next phase and actions (docs/sockets.md). Nothing is opened here.

Rules
 1. A socket that is dead or failed has nothing open. Only such a one is opened, behind its ExecStartPre=.
 2. It listens: the first client starts its service, and from then on it is running, and we do not look any more:
    what waits in the queue is the service's to take.
 3. While its service is up, or on its way up or down, or waits for its restart, it is running. When the service rests,
    it listens again: what has come meanwhile starts the service again.
 4. A stop closes it, whatever its service does.
 5. It fails, and closes, when its service was started too often (the service's start limit, or TriggerLimitBurst=):
    else a client that waits would start it again at once, for ever.
 6. Any other event in any other phase changes nothing.
 7. Commands are run before and behind opening and closing, with TimeoutSec= for each; a phase without commands is
    passed at once. What fails before it is open fails the socket. From then on, what fails closes it behind
    ExecStopPre=, and then runs ExecStopPost=. A stop while it starts ends the command that runs, and skips
    ExecStopPre=. A command that was too late has failed, also if it ended well just before it was killed.
 8. A socket that is to end at once runs no more commands.

Invariant: *what is in ExecStartPost=, listening, running, or in ExecStopPre= is open*. OPEN stands in the one move that
leads there, and CLOSE in all that lead on from there; nothing is opened twice.
"""

from __future__ import annotations

from enum import Enum

from hafta.frozen import Frozen
from hafta.overlord.machine import Machine
from hafta.overlord.table import Event, Happening, State
from hafta.units.restart import Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from hafta.units.restart import Result


class Phase(Enum):
    """Where a socket stands; the value is what people are shown, as systemd names it."""

    DEAD = "dead"
    START_PRE = "start-pre"
    START_POST = "start-post"
    LISTENING = "listening"
    RUNNING = "running"
    STOP_PRE = "stop-pre"
    CLEARING = "stop-pre-sigkill"
    STOP_POST = "stop-post"
    FAILED = "failed"


class SocketEvent(Happening):
    """What can happen to a socket, besides a start and a stop (table.Event)."""

    INCOMING = "somebody has connected or sent something"
    BUSY = "its service is not at rest"
    IDLE = "its service rests"
    LIMITED = "its service was started too often"
    FLOODED = "it has started its service too often"
    BROKEN = "it cannot be opened"
    DONE = "the commands of this phase are done"
    BAD = "a command of this phase failed, or could not be made"
    LATE = "a command of this phase takes too long"


class SocketAction(Enum):
    """What the overlord is to do, in the order given."""

    OPEN = "open all addresses"
    WATCH = "wait for somebody to connect"
    UNWATCH = "wait no longer"
    FLUSH = "drop what waits, with FlushPending="
    TRIGGER = "start the service"
    CLOSE = "close all, and remove what is not to stay"
    RUN = "run the commands of this phase"
    KILL = "end the command that runs"
    SAY_STOPPED = "report that it is closed"
    SAY_FAILED = "report that it failed"


class SocketMove(Frozen):
    """One cell of the table: the rule, the next phase, and the actions."""

    rule: int
    phase: Phase | None  # None: the same
    actions: tuple[SocketAction, ...] = ()


A = SocketAction
E = SocketEvent
_PRE = SocketMove(1, Phase.START_PRE, (A.RUN,))
_STOP = SocketMove(4, Phase.STOP_PRE, (A.UNWATCH, A.RUN))
_FAIL = SocketMove(5, Phase.STOP_PRE, (A.UNWATCH, A.RUN))
_CLOSE = SocketMove(7, Phase.STOP_POST, (A.UNWATCH, A.CLOSE, A.RUN))
_LATE = SocketMove(7, None, (A.KILL,))  # its end is then a bad one
_CUT = SocketMove(7, Phase.CLEARING, (A.KILL,))
_END = SocketMove(7, Phase.DEAD, (A.SAY_STOPPED,))

TABLE: dict[Phase, dict[Happening, SocketMove]] = {
    Phase.DEAD: {Event.START: _PRE},
    Phase.START_PRE: {
        E.DONE: SocketMove(1, Phase.START_POST, (A.OPEN, A.RUN)),
        E.BAD: _END,
        E.LATE: _LATE,
        Event.STOP: _CUT,
        Event.KILL: _CUT,
    },
    Phase.START_POST: {
        E.DONE: SocketMove(2, Phase.LISTENING, (A.WATCH,)),
        E.BAD: SocketMove(7, Phase.STOP_PRE, (A.RUN,)),
        E.BROKEN: _CLOSE,
        E.LATE: _LATE,
        Event.STOP: _CUT,
        Event.KILL: _CUT,
    },
    Phase.LISTENING: {
        E.INCOMING: SocketMove(2, Phase.RUNNING, (A.UNWATCH, A.TRIGGER)),
        E.BUSY: SocketMove(3, Phase.RUNNING, (A.UNWATCH,)),
        E.LIMITED: _FAIL,
        E.FLOODED: _FAIL,
        E.BROKEN: _CLOSE,
        Event.STOP: _STOP,
        Event.KILL: _STOP,
    },
    Phase.RUNNING: {
        E.IDLE: SocketMove(3, Phase.LISTENING, (A.FLUSH, A.WATCH)),
        E.LIMITED: _FAIL,
        Event.STOP: _STOP,
        Event.KILL: _STOP,
    },
    Phase.STOP_PRE: {E.DONE: _CLOSE, E.BAD: _CLOSE, E.LATE: _LATE, Event.KILL: _CUT},
    Phase.CLEARING: {E.DONE: _CLOSE, E.BAD: _CLOSE},
    Phase.STOP_POST: {E.DONE: _END, E.BAD: _END, E.LATE: _LATE, Event.KILL: SocketMove(8, None, (A.KILL,))},
    Phase.FAILED: {Event.START: _PRE},
}
#: The phases that run commands, and which (units.unit.Commands).
COMMANDS = {
    Phase.START_PRE: "start_pre",
    Phase.START_POST: "start_post",
    Phase.STOP_PRE: "stop",
    Phase.STOP_POST: "stop_post",
}
_STATES = {
    Phase.DEAD: State.INACTIVE,
    Phase.START_PRE: State.START_PRE,
    Phase.START_POST: State.START_POST,
    Phase.LISTENING: State.ACTIVE,
    Phase.RUNNING: State.ACTIVE,
    Phase.STOP_PRE: State.STOP,
    Phase.CLEARING: State.STOP,
    Phase.STOP_POST: State.STOP_POST,
    Phase.FAILED: State.FAILED,
}
_RESULTS: dict[Happening, Result] = {
    E.LIMITED: "service-start-limit-hit",
    E.FLOODED: "trigger-limit-hit",
    E.BROKEN: "resources",
    E.BAD: "resources",  # unless it is known already what was bad
    E.LATE: "timeout",
}


class SocketMachine(Machine):
    """One socket's way through the table. `state` is where the unit stands, as the manager sees it.

    `phases` are those that have commands, by their names.
    """

    def __init__(self, phases: Container[str] = ()) -> None:
        super().__init__(Policy(limit_burst=0))
        self.phase = Phase.DEAD
        self._commands = {phase for phase, name in COMMANDS.items() if name in phases}
        self._at_once = False

    def take(self, event: Happening) -> tuple[SocketAction, ...]:
        """Move on and return what is to be done. A phase without commands is passed, as if they were done."""
        actions = self._go(event)
        while SocketAction.RUN in actions and (self._at_once or self.phase not in self._commands):
            done = tuple(action for action in actions if action is not SocketAction.RUN)
            actions = (*done, *self._go(SocketEvent.DONE))
        return actions

    def _go(self, event: Happening) -> tuple[SocketAction, ...]:
        if event is Event.KILL:
            self._at_once = True  # rule 8
        if event is SocketEvent.DONE and self.result != "success":
            event = SocketEvent.BAD
        cell = TABLE[self.phase].get(event)
        if cell is None:
            return ()
        if event is Event.START:
            self.result, self._at_once = "success", False
        elif self.phase is not Phase.CLEARING:  # there we have ended the command ourselves
            self.fail(_RESULTS.get(event, "success"))
        self.phase = cell.phase or self.phase
        if cell is _END and self.result != "success":
            self.phase = Phase.FAILED
        self.state = _STATES[self.phase]
        return (SocketAction.SAY_FAILED,) if cell is _END and self.phase is Phase.FAILED else cell.actions

    def fail(self, result: Result) -> None:
        """Take note of why it fails: the first reason counts."""
        if self.result == "success":
            self.result = result

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
