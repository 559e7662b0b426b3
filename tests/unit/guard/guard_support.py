"""Probes tried in this process, and guards in processes of their own."""

import contextlib
import os
import sys
import time

from processes import Child, below, wait_until

from hafta.guard.children import Children
from hafta.guard.probes import World, spec
from hafta.guard.steps import Round
from hafta.process.loop import Loop

PYTHON = sys.executable


def ask(*probes, pid=0, timeout=1.0, children=None, environ=None):
    """Try probes once; return the reason of the round, empty if it passed, and how many seconds that took."""
    [answer] = ask_often(*probes, pid=pid, timeout=timeout, children=children, environ=environ)
    return answer


def ask_often(*probes, times=1, pid=0, timeout=1.0, children=None, environ=None, between=lambda: None):
    """Try the same probes several times; return (reason, seconds) of each round."""
    world = World(pid or os.getpid(), children, os.environ if environ is None else environ)
    made = [each.make(world, each.text) for text in probes for each in spec(text)]
    loop, found = Loop(lambda _: None, lambda _: None), []
    try:
        for _ in range(times):
            answers, begun = [], time.monotonic()
            Round(made, loop, timeout, answers.append).begin()
            while not answers:
                loop.turn()
            found.append((answers[0], time.monotonic() - begun))
            between()
        assert len(loop._selector.get_map()) == 1, "something is still watched"
        assert not loop._timers
    finally:
        loop.close()
    return found


@contextlib.contextmanager
def children():
    """Give what starts commands; what they leave is reaped."""
    before = set(os.listdir("/proc/self/fd"))
    made = Children()
    yield made
    wait_until(lambda: made.reap() or not made.left())
    assert set(os.listdir("/proc/self/fd")) == before


class Guarded(Child):
    """A guard in a process of its own; `words` are its options, then `--` and its program."""

    def __init__(self, *words, **environ):
        measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        super().__init__(["-m", "hafta.guard", *words], **{**measured, **environ})

    def pid(self):
        """Return the program's process, once it runs."""
        return wait_until(lambda: below(self.process.pid), "a program")[0]
