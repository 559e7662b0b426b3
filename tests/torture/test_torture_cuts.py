"""Stops by real signals at random instants, and by trace at every point, judged by the world outside.

The signals are those of a timer, which reach any instruction; what their handler raises is what hafta.service raises at
SIGTERM, or Python at Ctrl-C.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "unit", "durable"))

from outside import Broken, World
from stop_points import sampled
from test_durable_stops import STOPS, STORIES, Story, all_points
from test_durable_stops import tell as tell_story

from hafta.service.signals import Stop
from hafta.stores import MemoryStore

NUMBER = 5_000  # stops of each kind
WIDEST = (0.001, 0.005, 0.02)  # seconds until a signal comes, at most


#: Where the world judges. It outlives processes, so it is not to be cut, nor what it asks of a run meanwhile.
JUDGING = {World.begin.__code__, World.undo.__code__}


def is_outside(frame):
    """Tell whether the world would be cut in the middle of a change."""
    if frame.f_code.co_filename == World.begin.__code__.co_filename:
        return True
    while frame is not None and frame.f_code not in JUDGING:
        frame = frame.f_back
    return frame is not None


def raising(make):
    """Return a handler that raises, a moment later if it interrupts the world outside."""

    def handle(_number, frame):
        while frame.f_code is handle.__code__:  # on a busy machine it comes again before this has returned
            frame = frame.f_back
        if is_outside(frame):
            signal.setitimer(signal.ITIMER_REAL, 0.00002)
        else:
            raise make()

    return handle


WAYS = {"SIGTERM": lambda: Stop(signal.SIGTERM), "KeyboardInterrupt": KeyboardInterrupt}


@pytest.fixture
def alarmed():
    """Give the timer's signal back, and keep the collector out: Python drops what is raised within its callbacks."""
    before = signal.getsignal(signal.SIGALRM)
    gc.disable()
    gc.freeze()
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    gc.unfreeze()
    gc.enable()


def stopped_once(story, seconds):
    """Run a process of the story that a signal stops after this time. Returns whether it did."""
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            story.process(story.store)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except (KeyboardInterrupt, Stop):
        return True
    return False


def life(name, driver, wait):
    """Stop one process after another at random instants until one comes to the end. Returns how many were stopped."""
    story, stops = Story(name, driver, MemoryStore()), 0
    while stopped_once(story, wait()):
        stops += 1
        if story.has_ended():
            return stops
        story.next_process()
    assert story.world.is_done()
    return stops


pytestmark = pytest.mark.filterwarnings(  # a coroutine that a stop keeps from being awaited
    "ignore::RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.mark.parametrize("way", WAYS)
def test_real_signals_at_random_instants(way, alarmed, tell, long):
    seed, stops = random.randrange(1 << 32), 0
    chance = random.Random(seed)
    for name in STORIES:
        story = Story(name, "sync", MemoryStore())
        story.process(story.store)  # what is loaded late is loaded now
    signal.signal(signal.SIGALRM, raising(WAYS[way]))
    while stops < NUMBER * (10 if long else 1):
        name = chance.choice(list(STORIES))
        try:
            stops += life(name, "sync", lambda: chance.uniform(0.00001, chance.choice(WIDEST)))
        except Broken as error:
            raise AssertionError(f"seed {seed}: {name}, after {stops} stops: {error}") from error
        gc.collect()
    tell(stops, f"{way} at random instants")


def test_a_signal_that_comes_again_while_it_is_put_off_does_not_cut_the_world_outside(monkeypatch):
    """Else what the world has noted in half would be taken for a fault of the library."""
    handle, waits = raising(KeyboardInterrupt), []

    def again(_timer, seconds):
        waits.append(seconds)
        if len(waits) == 1:
            handle(signal.SIGALRM, sys._getframe(1))

    monkeypatch.setattr(signal, "setitimer", again)
    outside = compile("handle(14, sys._getframe())", World.begin.__code__.co_filename, "exec")
    exec(outside, {"handle": handle, "sys": sys})
    assert len(waits) == 2
    with pytest.raises(KeyboardInterrupt):
        handle(signal.SIGALRM, sys._getframe())


@pytest.mark.parametrize(("name", "driver"), STOPS)
def test_a_stop_at_each_point(name, driver, tell, long):
    passed = all_points(name, driver)
    numbers = range(1, len(passed) + 1) if long else sampled(passed)
    for number in numbers:
        tell_story(name, driver, number)
    tell(len(numbers), "stops at each line and each look for signals" if long else "stops at each place")
