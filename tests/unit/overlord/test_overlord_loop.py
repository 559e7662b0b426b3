"""The loop: what services write, however much that is, delays nothing but what other services write."""

import os

import pytest

from hafta.process import loop as loops
from hafta.process.loop import SLICE, Loop


class Clock:
    """A clock that goes on only when somebody says so."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


class Ready:
    """Pipes that are always ready; each call takes half of what all may take in a turn."""

    def __init__(self, loop, clock, patient, others):
        self.calls = []
        self.pipes = []
        for name, is_patient in (*((name, True) for name in patient), *((name, False) for name in others)):
            reader, writer = os.pipe()
            self.pipes += (reader, writer)
            os.write(writer, b"x")
            loop.watch(reader, lambda name=name: self.call(name, clock), patient=is_patient)

    def call(self, name, clock):
        self.calls.append(name)
        clock.now += SLICE / 2 + 0.001


@pytest.fixture
def turning(monkeypatch):
    clock, made = Clock(), []
    monkeypatch.setattr(loops, "time", clock)

    def make(patient, others=()):
        loop = Loop(lambda _: None, lambda _: None)
        made.append((loop, Ready(loop, clock, patient, others)))
        return made[-1]

    yield make
    for loop, ready in made:
        loop.close()
        for fd in ready.pipes:
            os.close(fd)


def test_what_is_patient_gives_way_in_every_turn(turning):
    loop, ready = turning("abcde", ("control",))
    for _ in range(10):
        loop.turn()
    assert ready.calls.count("control") == 10
    assert len(ready.calls) == 10 + 10 * 2, "two of them are all that a turn has time for"
    assert ready.calls[::3] == ["control"] * 10, "all else comes first"


def test_all_that_is_patient_has_its_turn(turning):
    loop, ready = turning("abcde")
    for _ in range(10):
        loop.turn()
    assert {name: ready.calls.count(name) for name in "abcde"} == dict.fromkeys("abcde", 4)
    assert ready.calls[:5] == ready.calls[5:10], "first come, first served"


def test_who_has_gone_meanwhile_is_not_called(turning):
    loop, ready = turning("abcde")
    loop.turn()
    behind = loop._queue[0]
    loop.forget(behind)
    for _ in range(5):
        loop.turn()
    assert len(set(ready.calls)) == 4
