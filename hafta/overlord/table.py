"""The life of a unit as a table: state x event -> next state and actions. No process, clock or file is touched here.

A unit has at most two processes that the overlord has started: the main one (ExecStart=), and a control process, which
runs the commands of a phase one after the other (ExecStartPre=, ExecReload=, ExecStop=, ...). For Type=forking
ExecStart= runs as the control process, and what it leaves behind is the main one.

Rules
 1. A resting unit (inactive, failed, auto-restart) has no process. Only a resting unit is started.
 2. A start asks the start limit first; one that it refuses makes the unit failed. Then come its phases: condition,
    start-pre, start, start-post. Each of their commands has the start timeout. A phase without commands is passed
    (machine.py).
 3. A unit is active once it is ready and start-post is through. Ready is: READY=1 of Type=notify, the exec of
    Type=exec, the fork of Type=simple, the end of ExecStart= of Type=forking and its PID file, the success of the last
    ExecStart= of a oneshot. The watchdog runs from then on.
    Where any process may say READY=1 and the unit remains without its main process, it is waited for while one is left.
 4. A start that fails, and a main process that fails, end the unit: the rest of it is asked to end (clearing), and
    killed when the stop timeout is over. Where the main process ends well and the unit does not remain, the commands
    of ExecStop= come first (stop).
 5. A stop of an active unit runs ExecStop= first (stop); each of its commands has the stop timeout. Then, and at once
    if the unit is not up yet or is being reloaded, all of it gets the kill signal (stopping), then SIGKILL (killing).
    A unit that says STOPPING=1 is on its way by itself: it gets the stop timeout and no signal.
 6. A watchdog that runs out, or a unit that triggers it, ends the unit: the watchdog signal (aborting), then SIGKILL.
 7. Once a unit is being ended it stays on that way: nothing but its processes' end leads out of it. A stop that comes
    meanwhile is remembered (machine.py), and forbids the restart.
 8. Only when no process of the unit is left (EMPTY) do the commands of ExecStopPost= run (stop-post), also after a
    start that failed. What they leave behind is ended in the same way (final). When again none is left, it rests: what
    then comes, Restart= decides (restart.py).
 9. A process that survives SIGKILL (the kernel holds it) is killed again and waited for; the unit is never started
    as long as it lives. A unit that is to end at once gets SIGKILL and no more commands (final-killing).
10. Any other event in any other state changes nothing: a late timer, READY=1 of a process that is already being ended.
11. A reload runs ExecReload=; Type=notify-reload then gets its signal, and is reloaded when it has said RELOADING=1 and
    READY=1. A unit that says RELOADING=1 by itself is the same way. A reload that fails or takes too long leaves the
    unit active. A main process that ends meanwhile is seen when the command has ended.

Invariant: *no unit ever has two main processes, nor two control processes*. SPAWN and RUN stand only in moves by events
that say that there is no such process: a start out of rest; the end of a phase's last command (NEXT); the end of the
main process (MORE); the unit's being up or down where nothing else runs (READY, DONE, ENDED, RELOAD, STOP, EMPTY). A
state with a process leads to a resting one by EMPTY alone. If you add a move, keep both, and
tests/unit/overlord/test_overlord_table.py with them.
"""

from __future__ import annotations

from enum import Enum

from hafta.frozen import Frozen


class State(Enum):
    """Where a unit stands; the value is what people are shown, as systemd names it."""

    INACTIVE = "inactive"
    CONDITION = "activating (condition)"
    START_PRE = "activating (start-pre)"
    START = "activating (start)"
    START_POST = "activating (start-post)"
    ACTIVE = "active"
    RELOAD = "reloading (reload)"
    RELOAD_SIGNAL = "reloading (reload-signal)"
    RELOAD_NOTIFY = "reloading (reload-notify)"
    STOP = "deactivating (stop)"
    ABORTING = "deactivating (stop-watchdog)"
    STOPPING = "deactivating (stop-sigterm)"
    CLEARING = "deactivating (rest)"
    KILLING = "deactivating (stop-sigkill)"
    STOP_POST = "deactivating (stop-post)"
    FINAL = "deactivating (final-sigterm)"
    FINAL_KILLING = "deactivating (final-sigkill)"
    AUTO_RESTART = "auto-restart"
    FAILED = "failed"
    __hash__ = object.__hash__  # each is there once; Enum's own takes ten times as long


S = State
RESTING = frozenset((S.INACTIVE, S.AUTO_RESTART, S.FAILED))
STARTING = frozenset((S.CONDITION, S.START_PRE, S.START, S.START_POST))
#: It is up: what requires it may start.
UP = frozenset((S.ACTIVE, S.RELOAD, S.RELOAD_SIGNAL, S.RELOAD_NOTIFY))
ENDING = frozenset(State) - RESTING - STARTING - UP
#: The states in which a control process runs commands, by the name of the phase (units.unit.Commands).
PHASES = {
    S.CONDITION: "condition",
    S.START_PRE: "start_pre",
    S.START_POST: "start_post",
    S.RELOAD: "reload",
    S.STOP: "stop",
    S.STOP_POST: "stop_post",
}


class Happening(Enum):
    """What the manager hands on: an Event, or a SocketEvent to a socket (socket_table.py)."""

    __hash__ = object.__hash__


class Event(Happening):
    """What can happen to a unit."""

    START = "a start is asked for"
    NEXT = "the commands of this phase are done"
    BAD = "a command of this phase failed, or could not be made"
    SKIP = "a command of this phase says that the unit is not to start"
    OVER = "the commands of this phase are done, and the main process has ended well"
    LOST = "the commands of this phase are done, and the main process has failed"
    READY = "it is up"
    MORE = "its main process ended well, and has a successor"
    DONE = "its main process ended well, and the unit remains, or that was its task"
    ENDED = "its main process ended well"
    EXITED = "its main process failed"
    ALONE = "its main process ended well, and another of its processes may still say that it is up"
    BROKEN = "its main process could not be made"
    EMPTY = "no process of it is left"
    TIMER = "the time of this state is over"
    HUNG = "the watchdog ran out, or was triggered"
    LEAVING = "it says that it stops by itself"
    RELOAD = "a reload is asked for"
    RELOADING = "it says that it reloads"
    STOP = "a stop is asked for"
    KILL = "it is to end at once"


class Action(Enum):
    """What the overlord is to do, in the order given."""

    __hash__ = object.__hash__

    BEGIN = "a new start: ask the start limit, forget the last one"
    SPAWN = "start the main process"
    RUN = "run the commands of this phase"
    SIGNAL = "send the reload signal"
    TERMINATE = "send the kill signal"
    ABORT = "send the watchdog signal"
    CLEAR = "ask what the main process left behind to end"
    KILL = "send SIGKILL to all of it"
    KILL_CONTROL = "send SIGKILL to the control process"
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
    SAY_RELOADED = "report how the reload ended"
    SAY_STOPPING = "report that it is being stopped"
    SAY_RESTARTING = "report that it will be started again"
    SAY_STOPPED = "report that it is down"
    SAY_FAILED = "report that it failed"


class Move(Frozen):
    """One cell of the table: the rule, the next state (None: as it is), and the actions."""

    rule: int
    state: State | None = None
    actions: tuple[Action, ...] = ()


A = Action
_BEGIN = Move(2, S.CONDITION, (A.BEGIN, A.RUN, A.SET_START))
_LEAVE = Move(4, S.CLEARING, (A.UNWATCH, A.CLEAR, A.SET_STOP, A.LOOK))
_GONE = Move(4, S.CLEARING, (A.SAY_EXITED, *_LEAVE.actions))
_ENDED = Move(4, S.STOP, (A.SAY_EXITED, A.UNWATCH, A.RUN, A.SET_STOP))
_OVER = Move(4, S.STOP, (A.UNWATCH, A.RUN, A.SET_STOP))
_HEARD = Move(4, None, (A.SAY_EXITED, A.UNWATCH))
_FINISH = Move(5, S.STOP, (A.SAY_STOPPING, A.UNWATCH, A.RUN, A.SET_STOP))
_STOP = Move(5, S.STOPPING, (A.SAY_STOPPING, A.UNWATCH, A.TERMINATE, A.SET_STOP, A.LOOK))
_TERMINATE = Move(5, S.STOPPING, (A.TERMINATE, A.SET_STOP, A.LOOK))
_ABORT = Move(6, S.ABORTING, (A.SAY_HUNG, A.UNWATCH, A.ABORT, A.SET_ABORT, A.LOOK))
_KILL = Move(5, S.KILLING, (A.UNWATCH, A.KILL, A.SET_KILL, A.LOOK))
_AT_ONCE = Move(9, S.FINAL_KILLING, (A.UNWATCH, A.KILL, A.SET_KILL, A.LOOK))
_AGAIN = Move(9, None, (A.KILL, A.SET_KILL, A.LOOK))
_DEAD = Move(8, None, (A.SAY_EXITED, A.LOOK))
_DOWN = Move(8, S.STOP_POST, (A.UNWATCH, A.RUN, A.SET_STOP))
_FINAL = Move(8, S.FINAL, (A.CLEAR, A.SET_STOP, A.LOOK))
_NEXT = Move(8, None, (A.UNSET, A.DECIDE))
_REST = Move(1, S.INACTIVE, (A.UNSET, A.SAY_STOPPED))
_RELOADED = Move(11, S.ACTIVE, (A.UNSET, A.SAY_RELOADED))
IGNORED = Move(10)

E = Event
_STOPS = {E.STOP: _STOP, E.KILL: _AT_ONCE}
_EARLY = {E.BAD: _LEAVE, E.TIMER: _STOP, **_STOPS}
_LIVING = {E.ENDED: _ENDED, E.EXITED: _GONE, E.DONE: _HEARD, E.HUNG: _ABORT, E.KILL: _AT_ONCE}
_DEAF = {E.DONE: _HEARD, E.ENDED: _HEARD, E.EXITED: _HEARD, E.HUNG: _ABORT, **_STOPS}
_LEAVING = Move(5, S.STOPPING, (A.UNWATCH, A.SET_STOP))
_ENDING = {E.DONE: _GONE, E.ENDED: _GONE, E.EXITED: _GONE, E.EMPTY: _DOWN, E.TIMER: _KILL, E.KILL: _AT_ONCE}
TABLE: dict[State, dict[Event, Move]] = {
    S.INACTIVE: {E.START: _BEGIN},
    S.CONDITION: {E.NEXT: Move(2, S.START_PRE, (A.RUN, A.SET_START)), E.SKIP: _LEAVE, **_EARLY},
    S.START_PRE: {E.NEXT: Move(2, S.START, (A.SPAWN, A.SET_START)), **_EARLY},
    S.START: {
        E.READY: Move(3, S.START_POST, (A.RUN, A.SET_START, A.WATCH)),
        E.DONE: Move(3, S.START_POST, (A.SAY_EXITED, A.RUN, A.SET_START)),
        E.MORE: Move(3, None, (A.SAY_EXITED, A.SPAWN, A.SET_START)),
        E.ENDED: _ENDED,
        E.EXITED: _GONE,
        E.ALONE: Move(3, None, (A.SAY_EXITED, A.LOOK)),
        E.EMPTY: _DOWN,
        E.BROKEN: _LEAVE,
        E.HUNG: _ABORT,
        **_EARLY,
    },
    S.START_POST: {
        E.NEXT: Move(3, S.ACTIVE, (A.UNSET, A.SAY_READY)),
        E.BAD: _TERMINATE,
        E.OVER: _OVER,
        E.LOST: _LEAVE,
        E.EMPTY: _DOWN,
        E.TIMER: _STOP,
        **_DEAF,
    },
    S.ACTIVE: {
        E.EMPTY: _OVER,
        E.LEAVING: _LEAVING,
        E.RELOAD: Move(11, S.RELOAD, (A.RUN, A.SET_START)),
        E.RELOADING: Move(11, S.RELOAD_NOTIFY, (A.SET_START,)),
        E.STOP: _FINISH,
        **_LIVING,
    },
    S.RELOAD: {
        E.NEXT: Move(11, S.RELOAD_SIGNAL, (A.SIGNAL, A.SET_START)),
        E.BAD: _RELOADED,
        E.OVER: _OVER,
        E.LOST: _LEAVE,
        E.TIMER: Move(11, None, (A.KILL_CONTROL, A.SET_KILL)),
        **_DEAF,
    },
    S.RELOAD_SIGNAL: {
        E.NEXT: _RELOADED,
        E.RELOADING: Move(11, S.RELOAD_NOTIFY),
        E.TIMER: _RELOADED,
        E.EMPTY: _OVER,
        E.LEAVING: _LEAVING,
        **_LIVING,
        E.STOP: _STOP,
    },
    S.RELOAD_NOTIFY: {
        E.READY: _RELOADED,
        E.TIMER: _RELOADED,
        E.EMPTY: _OVER,
        E.LEAVING: _LEAVING,
        **_LIVING,
        E.STOP: _STOP,
    },
    S.STOP: {
        E.NEXT: _TERMINATE,
        E.BAD: _TERMINATE,
        E.TIMER: _TERMINATE,
        E.DONE: _HEARD,
        E.ENDED: _HEARD,
        E.EXITED: _HEARD,
        E.KILL: _AT_ONCE,
    },
    S.ABORTING: _ENDING,
    S.STOPPING: {**_ENDING, E.STOP: Move(5, None, (A.TERMINATE,))},
    S.CLEARING: {E.EMPTY: _DOWN, E.TIMER: _KILL, E.KILL: _AT_ONCE},
    S.KILLING: {
        E.DONE: _DEAD,
        E.ENDED: _DEAD,
        E.EXITED: _DEAD,
        E.EMPTY: _DOWN,
        E.TIMER: _AGAIN,
        E.KILL: _AT_ONCE,
    },
    S.STOP_POST: {
        E.NEXT: _FINAL,
        E.BAD: _FINAL,
        E.EMPTY: _NEXT,
        E.TIMER: Move(8, S.FINAL, (A.TERMINATE, A.SET_STOP, A.LOOK)),
        E.KILL: _AT_ONCE,
    },
    S.FINAL: {E.EMPTY: _NEXT, E.TIMER: _AT_ONCE, E.KILL: _AT_ONCE},
    S.FINAL_KILLING: {
        E.DONE: _DEAD,
        E.ENDED: _DEAD,
        E.EXITED: _DEAD,
        E.EMPTY: _NEXT,
        E.TIMER: _AGAIN,
        E.KILL: _AGAIN,
    },
    S.AUTO_RESTART: {E.START: _BEGIN, E.TIMER: _BEGIN, E.STOP: _REST, E.KILL: _REST},
    S.FAILED: {E.START: _BEGIN},
}


def move(state: State, event: Event) -> Move:
    """Return the cell of the table; rule 10 where none is written."""
    return TABLE[state].get(event, IGNORED)
