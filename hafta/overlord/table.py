"""The life of a unit as a table: state x event -> next state and actions. No process, clock or file is touched here.

Rules
 1. A resting unit (inactive, failed, auto-restart) has no process. Only a resting unit is started.
 2. A start asks the start limit first; one that it refuses makes the unit failed.
 3. A unit is active once it is ready: READY=1 of Type=notify, the exec of Type=exec, the fork of Type=simple, success
    of a Type=oneshot that remains. Until then the start timeout runs; the watchdog runs only while the unit is active.
 4. A main process that ends by itself takes the rest of its unit with it: that is asked to end (clearing), and killed
    when the stop timeout is over.
 5. A stop, and a start that takes too long, ends the whole unit: the kill signal (stopping), then SIGKILL (killing). A
    unit that says STOPPING=1 is on its way by itself: it gets the stop timeout and no signal.
 6. A watchdog that runs out, or a unit that triggers it, ends the unit: the watchdog signal (aborting), then SIGKILL.
 7. Once a unit is being ended it stays on that way: nothing but its processes' end leads out of it. A stop that comes
    meanwhile is remembered (machine.py), and forbids the restart.
 8. Only when no process of the unit is left (EMPTY) does it rest: what then comes, Restart= decides (restart.py).
 9. A process that survives SIGKILL (the kernel holds it) is killed again and waited for; the unit is never started
    beside it.
10. Any other event in any other state changes nothing: a late timer, READY=1 of a process that is already being ended.

Invariant: *no unit ever has two main processes*. SPAWN stands only in moves out of resting states, and a state with a
process leads to a resting one by EMPTY alone. Whoever adds a move must keep both, and
tests/unit/overlord/test_overlord_table.py with them.
"""

from __future__ import annotations

from enum import Enum

from hafta.record import Record


class State(Enum):
    """Where a unit stands; the value is what people are shown, as systemd names it."""

    INACTIVE = "inactive"
    ACTIVATING = "activating"
    ACTIVE = "active"
    ABORTING = "deactivating (watchdog)"
    STOPPING = "deactivating (stop)"
    CLEARING = "deactivating (rest)"
    KILLING = "deactivating (kill)"
    AUTO_RESTART = "auto-restart"
    FAILED = "failed"

    @property
    def word(self) -> str:
        """One of the six words: inactive, activating, active, deactivating, auto-restart, failed."""
        return self.value.partition(" ")[0]


RESTING = frozenset((State.INACTIVE, State.AUTO_RESTART, State.FAILED))
ENDING = frozenset((State.ABORTING, State.STOPPING, State.CLEARING, State.KILLING))


class Event(Enum):
    """What can happen to a unit."""

    START = "a start is asked for"
    READY = "it is up"
    DONE = "its main process ended well, and the unit remains"
    EXITED = "its main process ended"
    BROKEN = "its main process could not be made"
    EMPTY = "no process of it is left"
    TIMER = "the time of this state is over"
    HUNG = "the watchdog ran out, or was triggered"
    LEAVING = "it says that it stops by itself"
    STOP = "a stop is asked for"
    KILL = "it is to end at once"


class Action(Enum):
    """What the overlord is to do, in the order given."""

    SPAWN = "start the main process"
    TERMINATE = "send the kill signal"
    ABORT = "send the watchdog signal"
    CLEAR = "ask what the main process left behind to end"
    KILL = "send SIGKILL to all of it"
    LOOK = "look whether a process is left: none gives EMPTY"
    SET_START = "arm the timer with the start timeout"
    SET_STOP = "arm the timer with the stop timeout"
    SET_ABORT = "arm the timer with the abort timeout"
    SET_KILL = "arm the timer with the time in which SIGKILL must have worked"
    SET_RESTART = "arm the timer with the restart delay"
    UNSET = "disarm the timer"
    WATCH = "start the watchdog's clock"
    UNWATCH = "stop the watchdog's clock"
    DECIDE = "let Restart= say what comes"
    SAY_READY = "report that it is up"
    SAY_EXITED = "report how the main process ended"
    SAY_HUNG = "report that it hangs"
    SAY_STOPPING = "report that it is being stopped"
    SAY_RESTARTING = "report that it will be started again"
    SAY_STOPPED = "report that it is down"
    SAY_FAILED = "report that it failed"


class Move(Record):
    """One cell of the table: the rule, the next state (None: as it is), and the actions."""

    rule: int
    state: State | None = None
    actions: tuple[Action, ...] = ()


A = Action
_START = Move(2, State.ACTIVATING, (A.SPAWN, A.SET_START))
_UP = Move(3, State.ACTIVE, (A.UNSET, A.SAY_READY, A.WATCH))
_GONE = Move(4, State.CLEARING, (A.SAY_EXITED, A.UNWATCH, A.CLEAR, A.SET_STOP, A.LOOK))
_STOP = Move(5, State.STOPPING, (A.SAY_STOPPING, A.UNWATCH, A.TERMINATE, A.SET_STOP, A.LOOK))
_ABORT = Move(6, State.ABORTING, (A.SAY_HUNG, A.UNWATCH, A.ABORT, A.SET_ABORT, A.LOOK))
_KILL = Move(5, State.KILLING, (A.UNWATCH, A.KILL, A.SET_KILL, A.LOOK))
_NEXT = Move(8, None, (A.UNSET, A.DECIDE))
_REST = Move(1, State.INACTIVE, (A.UNSET, A.SAY_STOPPED))
IGNORED = Move(10)

E = Event
TABLE: dict[State, dict[Event, Move]] = {
    State.INACTIVE: {E.START: _START},
    State.ACTIVATING: {
        E.READY: _UP,
        E.DONE: Move(3, State.ACTIVE, (A.SAY_EXITED, A.UNSET, A.SAY_READY)),
        E.EXITED: _GONE,
        E.BROKEN: Move(4, State.CLEARING, (A.CLEAR, A.SET_STOP, A.LOOK)),
        E.TIMER: _STOP,
        E.HUNG: _ABORT,
        E.STOP: _STOP,
        E.KILL: _KILL,
    },
    State.ACTIVE: {
        E.DONE: Move(3, State.ACTIVE, (A.SAY_EXITED, A.UNWATCH)),
        E.EXITED: _GONE,
        E.HUNG: _ABORT,
        E.LEAVING: Move(5, State.STOPPING, (A.UNWATCH, A.SET_STOP)),
        E.STOP: _STOP,
        E.KILL: _KILL,
    },
    State.ABORTING: {E.DONE: _GONE, E.EXITED: _GONE, E.EMPTY: _NEXT, E.TIMER: _KILL, E.KILL: _KILL},
    State.STOPPING: {
        E.DONE: _GONE,
        E.EXITED: _GONE,
        E.EMPTY: _NEXT,
        E.TIMER: _KILL,
        E.STOP: Move(5, None, (A.TERMINATE,)),
        E.KILL: _KILL,
    },
    State.CLEARING: {E.EMPTY: _NEXT, E.TIMER: _KILL, E.KILL: _KILL},
    State.KILLING: {
        E.DONE: Move(8, None, (A.SAY_EXITED, A.LOOK)),
        E.EXITED: Move(8, None, (A.SAY_EXITED, A.LOOK)),
        E.EMPTY: _NEXT,
        E.TIMER: Move(9, None, (A.KILL, A.SET_KILL, A.LOOK)),
        E.KILL: Move(9, None, (A.KILL, A.SET_KILL, A.LOOK)),
    },
    State.AUTO_RESTART: {E.START: _START, E.TIMER: _START, E.STOP: _REST, E.KILL: _REST},
    State.FAILED: {E.START: _START},
}


def move(state: State, event: Event) -> Move:
    """Return the cell of the table; rule 10 where none is written."""
    return TABLE[state].get(event, IGNORED)
