"""The table of a warm service, cell by cell, and its invariant under random events: never two workers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafta.service.warm.table import LIVING, TABLE, Action, Event, State, move

#: state x event -> next state; a dot is "as it is".
MATRIX = """
            READY   LATE     TIMER    RETIRE   REPLACE  HOLD    END   STOP
EMPTY       .       .        .        .        STARTING HOLDING .     ENDED
STARTING    RUNNING .        ABORTING RETIRING STARTING HOLDING ENDED STOPPING
RUNNING     .       ABORTING .        RETIRING STARTING HOLDING ENDED STOPPING
ABORTING    .       .        .        .        STARTING HOLDING ENDED STOPPING
HOLDING     .       .        STARTING .        .        .       .     ENDED
RETIRING    .       .        .        .        STARTING HOLDING ENDED STOPPING
STOPPING    .       .        .        .        ENDED    ENDED   ENDED .
ENDED       .       .        .        .        .        .       .     .
"""
HEADER, *ROWS = [line.split() for line in MATRIX.strip().splitlines()]
CELLS = [(row[0], event, cell) for row in ROWS for event, cell in zip(HEADER, row[1:], strict=True)]
DEATHS = {Event.REPLACE, Event.HOLD, Event.END}
ARM = {Action.SET_START, Action.SET_GRACE, Action.SET_HOLD, Action.SET_STOP}


@pytest.mark.parametrize(("state", "event", "expected"), CELLS)
def test_each_cell_is_as_the_matrix_says(state, event, expected):
    cell = move(State[state], Event[event])
    assert (cell.state.name if cell.state else ".") == expected


def test_the_matrix_is_whole():
    assert {(state, event) for state, event, _ in CELLS} == {(s.name, e.name) for s in State for e in Event}


def test_a_worker_is_released_only_where_none_lives():
    for state, row in TABLE.items():
        for event, cell in row.items():
            if Action.RELEASE in cell.actions:
                assert state not in LIVING or event in DEATHS
                assert cell.state is State.STARTING


def test_life_is_left_by_a_death_alone():
    for state in LIVING:
        for event, cell in TABLE[state].items():
            assert event in DEATHS or cell.state is None or cell.state in LIVING


def test_every_state_but_running_has_a_time_that_leads_on():
    """No state waits for ever but the one in which the beat is judged."""
    for row in TABLE.values():
        for cell in row.values():
            if cell.state in {State.STARTING, State.ABORTING, State.HOLDING, State.RETIRING, State.STOPPING}:
                assert ARM & set(cell.actions)
                assert Event.TIMER in TABLE[cell.state]


def test_a_kill_is_tried_again():
    for state in (State.ABORTING, State.RETIRING, State.STOPPING):
        assert move(state, Event.TIMER).actions == (Action.KILL, Action.SET_GRACE)


@given(st.lists(st.sampled_from(Event)))
def test_two_workers_never_live_at_a_time(events):
    """Random events, of which a death comes only where something lives."""
    state, lives = State.EMPTY, False
    for event in events:
        if event in DEATHS and not lives and state is not State.EMPTY:
            continue
        cell = move(state, event)
        lives = lives and event not in DEATHS
        for action in cell.actions:
            if action is Action.RELEASE:
                assert not lives
                lives = True
        state = cell.state or state
        assert lives == (state in LIVING)
