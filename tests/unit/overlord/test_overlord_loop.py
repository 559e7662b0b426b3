"""The loop: what is due when, whoever is away; what services write delays nothing but what other services write."""

import os
import signal

import pytest

from hafta.process import loop as loops
from hafta.process.loop import GAP, SLICE, Loop


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


class Ticking:
    """A loop whose clock and select are ours."""

    def __init__(self, monkeypatch):
        self.time = 100.0
        self.signals = []
        self.gaps = []
        self.asked = []
        self.late = 0.0
        monkeypatch.setattr(loops.time, "monotonic", lambda: self.time)
        self.loop = Loop(self.signals.append, self.gaps.append)
        self.loop._selector.close()
        self.loop._selector = self

    def select(self, timeout):
        self.asked.append(timeout)
        self.time += (timeout or 0.0) + self.late
        return []

    def close(self):
        """The real one is closed."""


@pytest.fixture
def ticking(monkeypatch):
    ticking = Ticking(monkeypatch)
    yield ticking
    ticking.loop.close()


def test_timers_fire_once_when_they_are_due(ticking):
    fired = []
    ticking.loop.set_timer(("a", ""), 0.5, lambda: fired.append("a"))
    ticking.loop.set_timer(("b", ""), 0.2, lambda: fired.append("b"))
    ticking.loop.set_timer(("c", ""), 0.1, lambda: fired.append("c"))
    ticking.loop.clear_timer(("c", ""))
    ticking.loop.set_timer(("d", ""), float("inf"), lambda: fired.append("d"))
    for _ in range(3):
        ticking.loop.turn()
    assert fired == ["b", "a"]
    assert ticking.asked == [pytest.approx(0.2), pytest.approx(0.3), None]


def test_a_timer_may_be_extended_and_never_comes_sooner_for_it(ticking):
    fired = []
    ticking.loop.set_timer(("a", ""), 0.5, lambda: fired.append(ticking.time))
    ticking.loop.extend_timer(("a", ""), 0.1)
    ticking.loop.extend_timer(("none", ""), 5.0)
    ticking.loop.extend_timer(("a", ""), 2.0)
    while not fired:
        ticking.loop.turn()
    assert fired == [pytest.approx(102.0)]
    assert max(ticking.asked) <= loops.TICK


def test_a_timer_that_an_earlier_one_cleared_or_set_anew_does_not_fire(ticking):
    fired = []

    def first():
        ticking.loop.clear_timer(("b", ""))
        ticking.loop.set_timer(("c", ""), 5.0, lambda: fired.append("late"))

    ticking.loop.set_timer(("a", ""), 0.1, first)
    ticking.loop.set_timer(("b", ""), 0.1, lambda: fired.append("b"))
    ticking.loop.set_timer(("c", ""), 0.1, lambda: fired.append("c"))
    ticking.loop.turn()
    assert fired == []


def test_the_clock_stands_still_while_the_overlord_does_not_run(ticking):
    fired = []
    ticking.loop.set_timer(("a", ""), 1.0, lambda: fired.append("a"))
    ticking.late = 60.0
    before = ticking.loop.now()
    ticking.loop.turn()
    assert ticking.gaps == [pytest.approx(61.0)]
    assert ticking.loop.now() == pytest.approx(before)
    assert fired == []
    ticking.late = 0.0
    ticking.loop.turn()
    assert fired == ["a"]


def test_a_stop_in_the_middle_of_work_is_a_gap_too_and_a_little_lateness_is_none(ticking):
    ticking.loop.turn()
    ticking.time += 5.0
    ticking.loop.turn()
    assert ticking.gaps == [pytest.approx(5.0)]
    ticking.loop.set_timer(("a", ""), 0.1, lambda: None)
    ticking.late = GAP / 2
    ticking.loop.turn()
    assert len(ticking.gaps) == 1


def test_an_idle_overlord_waits_without_an_end_and_that_is_no_gap(ticking):
    ticking.late = 1000.0
    ticking.loop.turn()
    assert ticking.asked == [None]
    assert ticking.gaps == []


def test_signals_are_given_in_their_order_and_the_dead_come_last():
    taken = []
    loop = Loop(taken.append, lambda _: None)
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD)}
    try:
        loop.listen(before)
        for signum in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGCHLD, signal.SIGUSR2, signal.SIGUSR1):
            signal.raise_signal(signum)
        loop.turn()
    finally:
        loop.close()
        for signum, handler in before.items():
            signal.signal(signum, handler)
    assert taken == [signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1, signal.SIGCHLD]


def test_what_an_earlier_callback_closed_is_not_called_back(pipe):
    reader, writer = pipe
    other_reader, other_writer = os.pipe()
    loop = Loop(lambda _: None, lambda _: None)
    called = []

    def take(mine, others):
        called.append(mine)
        loop.forget(others)

    loop.watch(reader, lambda: take(reader, other_reader))
    loop.watch(other_reader, lambda: take(other_reader, reader))
    os.write(writer, b"x")
    os.write(other_writer, b"x")
    loop.turn()
    assert len(called) == 1
    loop.close()
    os.close(other_reader)
    os.close(other_writer)
