"""The table, cell by cell, and the invariant under random events: never two main processes, rest after a stop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafta.overlord.machine import Machine
from hafta.overlord.restart import RESTARTS, Outcome, Policy, Statuses
from hafta.overlord.table import ENDING, RESTING, TABLE, Action, Event, State, move

#: state x event -> next state; a dot is "as it is"; DECIDE is what restart.py says.
MATRIX = """
             START      READY  DONE     EXITED   BROKEN   EMPTY  TIMER      HUNG     LEAVING  STOP     KILL
INACTIVE     ACTIVATING .      .        .        .        .      .          .        .        .        .
ACTIVATING   .          ACTIVE ACTIVE   CLEARING CLEARING .      STOPPING   ABORTING .        STOPPING KILLING
ACTIVE       .          .      ACTIVE   CLEARING .        .      .          ABORTING STOPPING STOPPING KILLING
ABORTING     .          .      CLEARING CLEARING .        DECIDE KILLING    .        .        .        KILLING
STOPPING     .          .      CLEARING CLEARING .        DECIDE KILLING    .        .        .        KILLING
CLEARING     .          .      .        .        .        DECIDE KILLING    .        .        .        KILLING
KILLING      .          .      .        .        .        DECIDE .          .        .        .        .
AUTO_RESTART ACTIVATING .      .        .        .        .      ACTIVATING .        .        INACTIVE INACTIVE
FAILED       ACTIVATING .      .        .        .        .      .          .        .        .        .
"""
HEADER, *ROWS = [line.split() for line in MATRIX.strip().splitlines()]
CELLS = [(row[0], event, cell) for row in ROWS for event, cell in zip(HEADER, row[1:], strict=True)]


@pytest.mark.parametrize(("state", "event", "expected"), CELLS)
def test_each_cell_is_as_the_matrix_says(state, event, expected):
    cell = move(State[state], Event[event])
    found = "DECIDE" if Action.DECIDE in cell.actions else cell.state.name if cell.state else "."
    assert found == expected


def test_the_matrix_is_whole():
    assert {(state, event) for state, event, _ in CELLS} == {(s.name, e.name) for s in State for e in Event}


def test_a_main_process_is_started_from_rest_only_and_rest_is_reached_from_life_by_empty_alone():
    """The two halves of the invariant."""
    for state, row in TABLE.items():
        for event, cell in row.items():
            if Action.SPAWN in cell.actions:
                assert state in RESTING
            if cell.state in RESTING or Action.DECIDE in cell.actions:
                assert state in RESTING or event is Event.EMPTY


def test_every_state_that_waits_for_an_end_has_a_timer_that_leads_on():
    for state in ENDING:
        cell = move(state, Event.TIMER)
        assert cell.state is State.KILLING or (state is State.KILLING and Action.SET_KILL in cell.actions)


def test_the_six_words_are_systemds():
    assert {state.word for state in State} == {
        *("inactive", "activating", "active", "deactivating", "auto-restart", "failed")
    }


class World:
    """A naive overlord: it believes what the machine says, and knows which processes there really are."""

    def __init__(self, policy):
        self.machine = Machine(policy)
        self.mains = 0
        self.rest = 0
        self.now = 0.0
        self.owed = []

    def do(self, actions):
        for action in actions:
            if action is Action.SPAWN:
                self.mains += 1
                assert self.mains == 1, "two main processes"
                assert self.rest == 0, "started beside processes of the last start"
            elif action is Action.LOOK and not self.mains and not self.rest:
                self.owed.append(Event.EMPTY)
        while self.owed:
            self.do(self.machine.handle(self.owed.pop(0), self.now))

    def event(self, event):
        self.do(self.machine.handle(event, self.now))

    def fork(self):
        self.rest += bool(self.mains)

    def end_main(self, outcome):
        if self.mains:
            self.mains = 0
            self.do(self.machine.exited(outcome, self.now))

    def end_rest(self):
        self.rest = 0
        if not self.mains and self.machine.state in ENDING:
            self.event(Event.EMPTY)


OUTCOMES = st.builds(Outcome, st.sampled_from((0, 1, 2, 75))) | st.builds(
    Outcome, st.just(0), st.sampled_from((9, 6, 15)), st.booleans()
)
ASKED = st.sampled_from(
    [event for event in Event if event not in {Event.EMPTY, Event.EXITED, Event.DONE, Event.BROKEN}]
)
STEPS = st.lists(st.one_of(ASKED, OUTCOMES, st.sampled_from(("fork", "end rest", "later"))), min_size=1, max_size=60)
POLICIES = st.builds(
    Policy,
    type=st.sampled_from(("simple", "notify", "exec", "oneshot")),
    restart=st.sampled_from(sorted(RESTARTS)),
    prevent=st.sampled_from((Statuses(), Statuses(frozenset((2,))))),
    remain=st.booleans(),
    limit_burst=st.integers(0, 5),
)


def take(world, step):
    if isinstance(step, Event):
        world.event(step)
    elif isinstance(step, Outcome):
        world.end_main(step)
    elif step == "fork":
        world.fork()
    elif step == "end rest":
        world.end_rest()
    else:
        world.now += 20


@given(POLICIES, STEPS)
def test_no_events_ever_give_a_unit_two_main_processes_and_after_a_stop_it_comes_to_rest(policy, steps):
    world = World(policy)
    for step in steps:
        take(world, step)
    world.event(Event.STOP)
    world.event(Event.TIMER)
    world.end_main(Outcome(0, 9))
    world.end_rest()
    assert world.machine.state in {State.INACTIVE, State.FAILED}
    assert not world.mains
    world.event(Event.TIMER)
    assert world.machine.state in {State.INACTIVE, State.FAILED}, "a late timer starts nothing"


def run(machine, *steps):
    """Take events, and outcomes with the EMPTY that follows; return all actions."""
    actions = []
    for step in steps:
        if isinstance(step, Outcome):
            actions += machine.exited(step, 0.0)
            actions += machine.handle(Event.EMPTY, 0.0)
        else:
            actions += machine.handle(step, 0.0)
    return actions


def test_the_first_cause_of_a_failure_is_its_result():
    machine = Machine(Policy(restart="on-watchdog"))
    actions = run(machine, Event.START, Event.READY, Event.HUNG, Event.TIMER, Outcome(0, 9))
    assert machine.result == "watchdog"
    assert machine.state is State.AUTO_RESTART
    assert [action for action in actions if action in {Action.ABORT, Action.KILL}] == [Action.ABORT, Action.KILL]


def test_a_notify_service_that_ends_before_it_is_ready_broke_the_protocol():
    machine = Machine(Policy(type="notify"))
    run(machine, Event.START, Outcome(0))
    assert (machine.state, machine.result) == (State.FAILED, "protocol")


def test_a_stop_that_comes_while_it_is_being_killed_forbids_the_restart():
    machine = Machine(Policy(restart="always"))
    run(machine, Event.START, Event.READY, Event.HUNG, Event.STOP, Outcome(0, 6))
    assert machine.state is State.FAILED


def test_what_could_not_be_made_is_tried_again_as_restart_says():
    machine = Machine(Policy(restart="on-failure"))
    run(machine, Event.START, Event.BROKEN, Event.EMPTY)
    assert (machine.state, machine.result) == (State.AUTO_RESTART, "resources")


def test_restarts_are_counted_from_the_last_start_that_was_asked_for():
    machine = Machine(Policy(restart="always", limit_burst=0))
    run(machine, Event.START, Event.READY, Outcome(0), Event.TIMER, Event.READY, Outcome(0))
    assert machine.restarts == 1
    run(machine, Event.START)
    assert machine.restarts == 0


def test_a_unit_that_remains_is_active_without_a_process():
    machine = Machine(Policy(type="oneshot", remain=True))
    run(machine, Event.START)
    machine.exited(Outcome(0), 0.0)
    assert machine.state is State.ACTIVE
    machine = Machine(Policy(type="simple", remain=True))
    run(machine, Event.START, Event.READY)
    machine.exited(Outcome(0), 0.0)
    assert machine.state is State.ACTIVE


def test_a_stop_of_one_that_leaves_by_itself_still_sends_the_signal():
    machine = Machine(Policy())
    run(machine, Event.START, Event.READY, Event.LEAVING)
    assert machine.state is State.STOPPING
    assert machine.handle(Event.STOP, 0.0) == (Action.TERMINATE,)
