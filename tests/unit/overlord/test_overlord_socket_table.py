"""The table of sockets: what is listening or running is open, and nothing is opened or closed twice."""

import itertools
import random

import pytest

from hafta.overlord.socket_table import COMMANDS, Phase, SocketAction, SocketEvent, SocketMachine
from hafta.overlord.table import Event, State

EVENTS = (Event.START, Event.STOP, Event.KILL, *SocketEvent)
OPEN = {Phase.START_POST, Phase.LISTENING, Phase.RUNNING, Phase.STOP_PRE}
STATES = {
    Phase.DEAD: State.INACTIVE,
    Phase.START_PRE: State.START_PRE,
    Phase.START_POST: State.START_POST,
    Phase.STOP_PRE: State.STOP,
    Phase.CLEARING: State.STOP,
    Phase.STOP_POST: State.STOP_POST,
    Phase.FAILED: State.FAILED,
}
#: Those that come only when a command has ended, and the one that comes only when none runs.
OF_COMMANDS = {SocketEvent.DONE, SocketEvent.BAD, SocketEvent.BROKEN}
PHASES = ("start_pre", "start_post", "stop", "stop_post")


class Followed:
    """A machine and what its actions have done."""

    def __init__(self, phases=()):
        self.machine = SocketMachine(phases)
        self.phases = phases
        self.open = self.watched = self.runs = False
        self.triggered = 0

    def take(self, event):
        """Take an event, do what it asks for, and check that nothing is done twice."""
        if self.runs is (event in {SocketEvent.DONE, SocketEvent.BAD}) or event not in OF_COMMANDS:
            self.runs = self.runs and event not in OF_COMMANDS
            for action in self.machine.take(event):
                self.do(action)

    def do(self, action):
        """Do what is asked for."""
        if action is SocketAction.OPEN:
            assert not self.open
        elif action is SocketAction.WATCH:
            assert self.open
        elif action is SocketAction.RUN:
            assert not self.runs, "two commands"
            assert COMMANDS[self.machine.phase] in self.phases
        elif action is SocketAction.KILL:
            assert self.runs
        elif action is SocketAction.TRIGGER:
            assert not self.watched, "a client that waits would trigger it for ever"
            self.triggered += 1
        self.open = SocketAction.OPEN is action or (self.open and action is not SocketAction.CLOSE)
        self.watched = SocketAction.WATCH is action or (self.watched and action is not SocketAction.UNWATCH)
        self.runs = self.runs or action is SocketAction.RUN

    def check(self):
        """Hold the invariant."""
        phase = self.machine.phase
        assert self.open is (phase in OPEN) or phase is Phase.CLEARING
        assert self.watched is (phase is Phase.LISTENING)
        assert self.runs is (phase in COMMANDS or phase is Phase.CLEARING), "a phase without commands is passed"
        assert self.machine.state is STATES.get(phase, State.ACTIVE)
        if phase in {Phase.DEAD, Phase.LISTENING, Phase.RUNNING, Phase.FAILED}:
            assert (self.machine.result == "success") is (phase is not Phase.FAILED)


@pytest.mark.parametrize("phases", [(), PHASES, PHASES[:2], PHASES[1::2]], ids=str)
@pytest.mark.parametrize("length", [1, 2, 3])
def test_every_short_row_of_events_keeps_what_is_open_true(length, phases):
    for events in itertools.product(EVENTS, repeat=length):
        followed = Followed(phases)
        for event in events:
            followed.take(event)
            followed.check()


@pytest.mark.parametrize("phases", [(), PHASES, PHASES[:1], PHASES[1:]], ids=str)
def test_long_random_rows_do_too(phases):
    chance = random.Random(8)
    followed = Followed(phases)
    for _ in range(20_000):
        followed.take(chance.choice(EVENTS))
        followed.check()
    assert followed.triggered


def phases_of(events, phases=PHASES):
    followed = Followed(phases)
    found = []
    for event in events:
        followed.take(event)
        found.append(followed.machine.phase.value)
    return found, followed.machine.result


def test_the_commands_of_a_socket_run_around_opening_and_closing():
    start, stop, done, bad = Event.START, Event.STOP, SocketEvent.DONE, SocketEvent.BAD
    whole = ["start-pre", "start-post", "listening", "stop-pre", "stop-post", "dead"]
    assert phases_of([start, done, done, stop, done, done]) == (whole, "success")
    assert phases_of([start, bad]) == (["start-pre", "failed"], "resources")
    assert phases_of([start, done, bad, done, done])[0] == [
        "start-pre",
        "start-post",
        "stop-pre",
        "stop-post",
        "failed",
    ]
    assert phases_of([start, done, stop, bad, done]) == (
        ["start-pre", "start-post", "stop-pre-sigkill", "stop-post", "dead"], "success",
    )  # fmt: skip
    assert phases_of([start, SocketEvent.LATE, bad]) == (["start-pre", "start-pre", "failed"], "timeout")
    assert phases_of([start, done, done, Event.KILL])[0][-1] == "dead", "no more commands"
    assert phases_of([start, done, done, SocketEvent.LIMITED, done, done]) == (
        ["start-pre", "start-post", "listening", "stop-pre", "stop-post", "failed"], "service-start-limit-hit",
    )  # fmt: skip


def test_only_a_stop_or_a_limit_closes_it():
    for event in (Event.START, SocketEvent.INCOMING, SocketEvent.BUSY, SocketEvent.IDLE):
        followed = Followed()
        for each in (Event.START, event, SocketEvent.IDLE, event):
            followed.take(each)
            assert followed.open
