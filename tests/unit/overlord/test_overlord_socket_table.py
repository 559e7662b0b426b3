"""The table of sockets: what is listening or running is open, and nothing is opened or closed twice."""

import itertools
import random

import pytest

from hafta.overlord.socket_table import Phase, SocketAction, SocketEvent, SocketMachine
from hafta.overlord.table import Event, State

EVENTS = (Event.START, Event.STOP, Event.KILL, *SocketEvent)
OPEN = {Phase.LISTENING, Phase.RUNNING}


class Followed:
    """A machine and what its actions have done."""

    def __init__(self):
        self.machine = SocketMachine()
        self.open = self.watched = False
        self.triggered = 0

    def take(self, event):
        """Take an event, do what it asks for, and check that nothing is done twice."""
        for action in self.machine.take(event):
            if action is SocketAction.OPEN:
                assert not self.open
                self.open = True
            elif action is SocketAction.CLOSE:
                assert self.open
                self.open = False
            elif action is SocketAction.WATCH:
                assert self.open
                self.watched = True
            elif action is SocketAction.UNWATCH:
                self.watched = False
            elif action is SocketAction.TRIGGER:
                assert not self.watched, "a client that waits would trigger it for ever"
                self.triggered += 1

    def check(self):
        """Hold the invariant."""
        phase = self.machine.phase
        assert self.open is (phase in OPEN)
        assert self.watched is (phase is Phase.LISTENING)
        assert self.machine.state is {
            Phase.DEAD: State.INACTIVE,
            Phase.FAILED: State.FAILED,
        }.get(phase, State.ACTIVE)
        assert (self.machine.result == "success") is (phase is not Phase.FAILED)


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_every_short_row_of_events_keeps_what_is_open_true(length):
    for events in itertools.product(EVENTS, repeat=length):
        followed = Followed()
        for event in events:
            followed.take(event)
            followed.check()


def test_long_random_rows_do_too():
    chance = random.Random(8)
    followed = Followed()
    for _ in range(20_000):
        followed.take(chance.choice(EVENTS))
        followed.check()
    assert followed.triggered > 100


def test_only_a_stop_or_a_limit_closes_it():
    for event in (Event.START, SocketEvent.INCOMING, SocketEvent.BUSY, SocketEvent.IDLE):
        followed = Followed()
        for each in (Event.START, event, SocketEvent.IDLE, event):
            followed.take(each)
            assert followed.open
