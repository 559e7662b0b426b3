"""The life of a warm service as a table: state x event -> next state and actions. No process, clock or file is touched.

Rules
 1. A worker begins (RELEASE) only where none lives: at the start, after the death of the one before, after a hold-off.
 2. It is up when it says READY. Until then the start limit runs; then its beat is judged.
 3. A worker that is late gets SIGABRT, so that its stacks are in the journal, and SIGKILL when its grace is over.
 4. A death is judged before it gets here (ladder.py): REPLACE at once, HOLD back first, or END with it.
 5. A worker that is to go for another one (a reload, a rule) is asked to stop. Its death is not a crash: REPLACE.
 6. A stop ends everything: the worker is asked to stop, then killed. Any death ends the parent then; and so does a stop
    while nothing lives.
 7. Any other event in any other state changes nothing.

Invariant: *two workers never live at a time.* RELEASE stands in moves out of EMPTY and HOLDING, where nothing lives,
and in the moves of a death. If you add a move, keep it, and tests/unit/warm/test_warm_table.py with it.
"""

from __future__ import annotations

from enum import Enum

from hafta.frozen import Frozen


class State(Enum):
    """Where the service stands."""

    EMPTY = "no worker yet"
    STARTING = "a worker starts"
    RUNNING = "a worker runs"
    ABORTING = "a hung worker is ended"
    HOLDING = "the next worker is held back"
    RETIRING = "a worker stops for the next one"
    STOPPING = "the service stops"
    ENDED = "the service has ended"


#: States in which a worker lives.
LIVING = frozenset((State.STARTING, State.RUNNING, State.ABORTING, State.RETIRING, State.STOPPING))


class Event(Enum):
    """What can happen."""

    READY = "the worker is up"
    LATE = "the worker hangs"
    TIMER = "the time of this state is over"
    RETIRE = "the worker is to go for another one"
    REPLACE = "the worker has died, and the next one begins"
    HOLD = "the next worker is to wait first"
    END = "the worker has died, and the service ends with it"
    STOP = "the service is to stop"


class Action(Enum):
    """What the parent is to do, in the order given."""

    RELEASE = "let the next worker begin"
    TERMINATE = "ask the worker to stop"
    ABORT = "have the worker print its stacks and die"
    KILL = "kill the worker"
    SAY_READY = "say that the service is up"
    SAY_HELD = "report that the next worker is held back"
    NOTE_LATE = "note that the worker took too long to start"
    SET_START = "arm the timer with the start limit"
    SET_GRACE = "arm the timer with the grace of a hung worker"
    SET_HOLD = "arm the timer with the hold-off"
    SET_STOP = "arm the timer with the stop limit"
    UNSET = "disarm the timer"
    FORGET = "forget how the last worker died: the service ends because it was asked to"
    FINISH = "end"


class Move(Frozen):
    """One cell of the table: the rule, the next state (None: as it is), and the actions."""

    rule: int
    state: State | None = None
    actions: tuple[Action, ...] = ()


A, E, S = Action, Event, State
_NEXT = Move(1, S.STARTING, (A.RELEASE, A.SET_START))
_HOLD = Move(4, S.HOLDING, (A.SAY_HELD, A.SET_HOLD))
_END = Move(4, S.ENDED, (A.UNSET, A.FINISH))
_LATE = Move(3, S.ABORTING, (A.ABORT, A.SET_GRACE))
_SLOW = Move(3, S.ABORTING, (A.NOTE_LATE, A.ABORT, A.SET_GRACE))
_STOP = Move(6, S.STOPPING, (A.TERMINATE, A.SET_STOP))
_RETIRE = Move(5, S.RETIRING, (A.TERMINATE, A.SET_STOP))
_KILL = Move(3, None, (A.KILL, A.SET_GRACE))
_DEATH = {E.REPLACE: _NEXT, E.HOLD: _HOLD, E.END: _END}
_OVER = dict.fromkeys((E.REPLACE, E.HOLD, E.END), Move(6, S.ENDED, (A.UNSET, A.FINISH)))
IGNORED = Move(7)

TABLE: dict[State, dict[Event, Move]] = {
    S.EMPTY: {E.REPLACE: _NEXT, E.HOLD: _HOLD, E.STOP: Move(6, S.ENDED, (A.FORGET, A.FINISH))},
    S.STARTING: {
        E.READY: Move(2, S.RUNNING, (A.UNSET, A.SAY_READY)), E.TIMER: _SLOW, E.RETIRE: _RETIRE, E.STOP: _STOP, **_DEATH,
    },
    S.RUNNING: {E.LATE: _LATE, E.RETIRE: _RETIRE, E.STOP: _STOP, **_DEATH},
    S.ABORTING: {E.TIMER: _KILL, E.STOP: Move(6, S.STOPPING, (A.KILL, A.SET_STOP)), **_DEATH},
    S.HOLDING: {E.TIMER: _NEXT, E.STOP: Move(6, S.ENDED, (A.UNSET, A.FORGET, A.FINISH))},
    S.RETIRING: {E.TIMER: _KILL, E.STOP: _STOP, **_DEATH},
    S.STOPPING: {E.TIMER: _KILL, **_OVER},
    S.ENDED: {},
}  # fmt: skip


def move(state: State, event: Event) -> Move:
    """Return the cell of the table; rule 7 where none is written."""
    return TABLE[state].get(event, IGNORED)
