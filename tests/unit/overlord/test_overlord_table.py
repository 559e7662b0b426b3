"""The table, cell by cell, and the invariants under random events: never two main or two control processes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hafta.overlord.machine import Machine
from hafta.overlord.table import ENDING, PHASES, RESTING, STARTING, TABLE, UP, Action, Event, State, move
from hafta.units.restart import RESTARTS, Outcome, Policy, Statuses

#: state: events -> next state. A dot is "as it is", decide is what restart.py says. What is not here changes nothing.
MOVES = """
INACTIVE: START -> CONDITION
CONDITION: NEXT -> START_PRE; BAD SKIP -> CLEARING; TIMER STOP -> STOPPING; KILL -> FINAL_KILLING
START_PRE: NEXT -> START; BAD -> CLEARING; TIMER STOP -> STOPPING; KILL -> FINAL_KILLING
START: BAD EXITED BROKEN -> CLEARING; READY DONE -> START_POST; MORE ALONE -> .; ENDED -> STOP; EMPTY -> STOP_POST;
    TIMER STOP -> STOPPING; HUNG -> ABORTING; KILL -> FINAL_KILLING
START_POST: NEXT -> ACTIVE; BAD TIMER STOP -> STOPPING; OVER -> STOP; LOST -> CLEARING; DONE ENDED EXITED -> .;
    EMPTY -> STOP_POST; HUNG -> ABORTING; KILL -> FINAL_KILLING
ACTIVE: DONE -> .; ENDED EMPTY STOP -> STOP; EXITED -> CLEARING; HUNG -> ABORTING; LEAVING -> STOPPING;
    RELOAD -> RELOAD; RELOADING -> RELOAD_NOTIFY; KILL -> FINAL_KILLING
RELOAD: NEXT -> RELOAD_SIGNAL; BAD -> ACTIVE; OVER -> STOP; LOST -> CLEARING; DONE ENDED EXITED TIMER -> .;
    HUNG -> ABORTING; STOP -> STOPPING; KILL -> FINAL_KILLING
RELOAD_SIGNAL: NEXT TIMER -> ACTIVE; DONE -> .; ENDED EMPTY -> STOP; EXITED -> CLEARING; HUNG -> ABORTING;
    LEAVING STOP -> STOPPING; RELOADING -> RELOAD_NOTIFY; KILL -> FINAL_KILLING
RELOAD_NOTIFY: READY TIMER -> ACTIVE; DONE -> .; ENDED EMPTY -> STOP; EXITED -> CLEARING; HUNG -> ABORTING;
    LEAVING STOP -> STOPPING; KILL -> FINAL_KILLING
STOP: NEXT BAD TIMER -> STOPPING; DONE ENDED EXITED -> .; KILL -> FINAL_KILLING
ABORTING: DONE ENDED EXITED -> CLEARING; EMPTY -> STOP_POST; TIMER -> KILLING; KILL -> FINAL_KILLING
STOPPING: DONE ENDED EXITED -> CLEARING; EMPTY -> STOP_POST; TIMER -> KILLING; STOP -> .; KILL -> FINAL_KILLING
CLEARING: EMPTY -> STOP_POST; TIMER -> KILLING; KILL -> FINAL_KILLING
KILLING: DONE ENDED EXITED TIMER -> .; EMPTY -> STOP_POST; KILL -> FINAL_KILLING
STOP_POST: NEXT BAD TIMER -> FINAL; EMPTY -> decide; KILL -> FINAL_KILLING
FINAL: EMPTY -> decide; TIMER KILL -> FINAL_KILLING
FINAL_KILLING: DONE ENDED EXITED TIMER KILL -> .; EMPTY -> decide
AUTO_RESTART: START TIMER -> CONDITION; STOP KILL -> INACTIVE
FAILED: START -> CONDITION
"""
EXPECTED = {}
for _row in MOVES.strip().replace("\n    ", " ").splitlines():
    _state, _, _items = _row.partition(": ")
    for _item in _items.split("; "):
        _events, _, _next = _item.partition(" -> ")
        EXPECTED |= {(_state, _event): _next for _event in _events.split()}


@pytest.mark.parametrize(("state", "event"), [(state, event) for state in State for event in Event])
def test_each_cell_is_as_it_is_written_here(state, event):
    cell = move(state, event)
    found = "decide" if Action.DECIDE in cell.actions else cell.state.name if cell.state else "."
    assert found == EXPECTED.get((state.name, event.name), ".")
    assert ((state.name, event.name) in EXPECTED) == (cell.rule != 10)


#: The events that say that no control process is left, by the states in which it may have been.
NO_CONTROL = {Event.NEXT, Event.BAD, Event.SKIP, Event.OVER, Event.LOST, Event.EMPTY}


def test_a_main_process_is_started_only_where_none_is_and_rest_is_reached_from_life_by_empty_alone():
    for state, row in TABLE.items():
        for event, cell in row.items():
            if Action.SPAWN in cell.actions:
                assert (state, event) in {(State.START_PRE, Event.NEXT), (State.START, Event.MORE)}
            if Action.BEGIN in cell.actions:
                assert state in RESTING
            if cell.state in RESTING or Action.DECIDE in cell.actions:
                assert state in RESTING or event is Event.EMPTY


def test_a_control_process_is_started_only_where_none_is():
    for state, row in TABLE.items():
        for event, cell in row.items():
            if Action.RUN in cell.actions:
                assert state not in PHASES or event in NO_CONTROL
                assert cell.state in PHASES


def test_a_state_before_the_start_is_left_for_the_start_by_the_end_of_its_commands_alone():
    """So no unit has a main process before START."""
    before = {State.CONDITION, State.START_PRE}
    for state in before:
        onward = {event for event, cell in TABLE[state].items() if cell.state not in {*ENDING, *RESTING}}
        assert onward == {Event.NEXT}
    assert {state for state, row in TABLE.items() for cell in row.values() if cell.state in before} <= {
        *RESTING,
        *before,
    }


def test_every_state_that_waits_for_an_end_has_a_timer_that_leads_on():
    for state in ENDING | STARTING | UP - {State.ACTIVE}:
        cell = move(state, Event.TIMER)
        again = state in {State.KILLING, State.FINAL_KILLING, State.RELOAD} and Action.SET_KILL in cell.actions
        assert again or cell.state not in {None, state}


def test_from_every_state_of_life_a_chain_of_timers_leads_to_the_last_kill():
    for state in ENDING:
        seen, at = set(), state
        while at not in seen:
            seen.add(at)
            at = move(at, Event.TIMER).state or at
        assert at in {State.KILLING, State.FINAL_KILLING}


def test_the_seven_words_are_systemds():
    assert {state.value.partition(" ")[0] for state in State} == {
        *("inactive", "activating", "active", "reloading", "deactivating", "auto-restart", "failed")
    }


class World:
    """A naive overlord: it believes what the machine says, and knows which processes there really are."""

    def __init__(self, policy, commands):
        self.machine = Machine(policy, [name for name, count in commands.items() if count])
        self.commands = commands
        self.mains = self.controls = self.rest = self.left = 0
        self.more = 0
        self.now = 0.0
        self.owed = []

    def do(self, actions):
        for action in actions:
            if action is Action.BEGIN:
                assert not self.mains + self.controls + self.rest, "started beside processes of the last start"
                self.more = self.commands["start"]
            elif action is Action.SPAWN:
                self.spawn()
            elif action is Action.RUN:
                self.left = self.commands[PHASES[self.machine.state]]
                self.run()
            elif action is Action.LOOK and not self.mains + self.controls + self.rest:
                self.owed.append(Event.EMPTY)
        while self.owed:
            self.do(self.machine.handle(self.owed.pop(0), self.now))

    def spawn(self):
        assert not self.mains, "two main processes"
        if self.machine.policy.type == "forking":
            self.left = 1
            self.run()
        else:
            self.more -= 1
            self.mains = 1

    def run(self):
        assert not self.controls, "two control processes"
        self.controls = 1
        self.left -= 1

    def event(self, event):
        if event is Event.READY and self.machine.policy.type in {"forking", "oneshot"}:
            return  # nobody listens to them: they are up by their end
        self.do(self.machine.handle(event, self.now))

    def fork(self):
        self.rest += bool(self.mains + self.controls)

    def end_main(self, outcome):
        if self.mains:
            self.mains = 0
            self.do(self.machine.exited(outcome, self.now, more=bool(self.more)))
            self.look()

    def end_control(self, outcome):
        if self.controls:
            self.controls = 0
            result = self.machine.judge_command(outcome, forgiven=False)
            if result == "success" and self.left and self.machine.state in PHASES:
                self.run()
            else:
                if self.machine.state is State.START and result == "success":
                    self.mains = self.rest > 0  # the daemon that it left behind
                    self.rest -= self.mains
                self.do(self.machine.phase_ended(result, self.now))
            self.look()

    def end_rest(self):
        self.rest = 0
        self.look()

    def look(self):
        if not self.mains + self.controls + self.rest and self.machine.state in ENDING | STARTING:
            self.event(Event.EMPTY)


OUTCOMES = st.builds(Outcome, st.sampled_from((0, 1, 2, 75))) | st.builds(
    Outcome, st.just(0), st.sampled_from((9, 6, 15)), st.booleans()
)
#: The others are what ends of processes are to the table.
FROM_OUTSIDE = "START READY TIMER HUNG LEAVING RELOAD RELOADING STOP KILL"
ASKED = st.sampled_from([Event[name] for name in FROM_OUTSIDE.split()])
ENDS = st.tuples(st.sampled_from(("main", "control")), OUTCOMES)
STEPS = st.lists(st.one_of(ASKED, ENDS, ENDS, st.sampled_from(("fork", "end rest", "later"))), min_size=1, max_size=80)
POLICIES = st.builds(
    Policy,
    type=st.sampled_from(("simple", "notify", "notify-reload", "exec", "oneshot", "forking")),
    restart=st.sampled_from(sorted(RESTARTS)),
    prevent=st.sampled_from((Statuses(), Statuses(frozenset((2,))))),
    remain=st.booleans(),
    any_may_notify=st.booleans(),
    limit_burst=st.integers(0, 5),
)
COMMANDS = st.fixed_dictionaries({**dict.fromkeys(PHASES.values(), st.integers(0, 2)), "start": st.integers(1, 3)})


def take(world, step):
    if isinstance(step, Event):
        world.event(step)
    elif isinstance(step, tuple):
        {"main": world.end_main, "control": world.end_control}[step[0]](step[1])
    elif step == "fork":
        world.fork()
    elif step == "end rest":
        world.end_rest()
    else:
        world.now += 20


@settings(max_examples=1000)
@given(POLICIES, COMMANDS, STEPS)
def test_no_events_ever_give_a_unit_two_main_or_control_processes_and_after_a_stop_it_comes_to_rest(
    policy, commands, steps
):
    world = World(policy, commands)
    for step in steps:
        take(world, step)
    world.event(Event.STOP)
    for _ in range(20):  # more than there are states on the longest way to rest
        if world.machine.state in RESTING:
            break
        world.event(Event.TIMER)
        world.end_main(Outcome(0, 9))
        world.end_control(Outcome(0, 9))
        world.end_rest()
    assert world.machine.state in {State.INACTIVE, State.FAILED}
    assert not world.mains + world.controls
    world.event(Event.TIMER)
    assert world.machine.state in {State.INACTIVE, State.FAILED}, "a late timer starts nothing"


PATIENT = Policy(type="notify", remain=True, any_may_notify=True)
GONE = Outcome(0)


@pytest.mark.parametrize(
    ("policy", "last", "state", "result"),
    [
        (PATIENT, Event.READY, State.ACTIVE, "success"),
        (PATIENT, Event.EMPTY, State.FAILED, "protocol"),
        (PATIENT, Event.TIMER, State.STOPPING, "timeout"),
        (PATIENT.replace(remain=False), Event.EMPTY, State.FAILED, "protocol"),
        (PATIENT.replace(any_may_notify=False), Event.EMPTY, State.FAILED, "protocol"),
    ],
)
def test_a_unit_may_be_up_after_its_main_process_has_ended(policy, last, state, result):
    machine = Machine(policy)
    machine.handle(Event.START, 0.0)
    machine.exited(GONE, 0.0)
    machine.handle(last, 0.0)
    assert (machine.state, machine.result) == (state, result)


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


RUNS = (Event.START, Event.READY, Event.HUNG)
FAILURES = {
    "its first cause is its result": (Policy(restart="on-watchdog"), (*RUNS, Event.TIMER, Outcome(0, 9)), "watchdog"),
    "to end before it is ready breaks the protocol": (Policy(type="notify"), (Event.START, Outcome(0)), "protocol"),
    "a stop while it is being killed forbids the restart": (
        Policy(restart="always"), (*RUNS, Event.STOP, Outcome(0, 6)), "watchdog",
    ),
    "what could not be made is tried again as Restart= says": (
        Policy(restart="on-failure"), (Event.START, Event.BROKEN, Event.EMPTY), "resources",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("policy", "steps", "result"), FAILURES.values(), ids=FAILURES)
def test_a_failure(policy, steps, result):
    machine = Machine(policy)
    actions = run(machine, *steps)
    again = policy.restart != "no" and Event.STOP not in steps
    assert (machine.state, machine.result) == (State.AUTO_RESTART if again else State.FAILED, result)
    ended = [action for action in actions if action in {Action.ABORT, Action.KILL}]
    assert ended == [Action.ABORT] * (Event.HUNG in steps) + [Action.KILL] * (Event.TIMER in steps)


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
