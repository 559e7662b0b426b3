"""Storms on the worker and the parent of a warm service under the embedded overlord: kills, stops, ends, reloads.

Never two workers (a lock is the witness), no acknowledged checkpoint lost, each visit undone once or ended, and in the
end no process left. The parent is killed after each row of workers: its successor begins a new row, so that the
hold-off does not make the storm a breeze.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time

import pytest
from overlord_harness import Place, is_alive, wait_until
from storm import Judge

PROGRAM = os.path.join(os.path.dirname(__file__), "warm_program.py")
UNIT = """\
Type=notify
Restart=always
RestartSec=0
KillMode=mixed
StateDirectory=feed
Environment=HAFTA_DEADLINE=30 HAFTA_STANDBY=0.02 HAFTA_LADDER=100
"""
NO_LIMIT = ("StartLimitIntervalSec=0",)
#: What is stopped by SIGSTOP is found: the worker by its parent, the parent by its overlord.
WATCHED = """\
Type=notify
Restart=always
RestartSec=0
KillMode=mixed
WatchdogSec=3
TimeoutAbortSec=1
TimeoutStopSec=20
StateDirectory=feed
Environment=HAFTA_DEADLINE=0.5 HAFTA_STANDBY=0.02 HAFTA_LADDER=100 HAFTA_GRACE=0.1
"""


@pytest.fixture
def place():
    """A place for an overlord; afterwards nothing that was started from there may be left."""
    place = Place()
    try:
        yield place
        wait_until(lambda: not place.left_over())
    finally:
        for overlord in place.overlords:
            overlord.destroy()
        place.clear()


def children(pid: int) -> dict[int, str]:
    """Return the living children of a process, and what they call themselves."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            pids = [int(word) for word in file.read().split()]
        return {child: title(child) for child in pids if is_alive(child)}
    except OSError:  # it is dead
        return {}


def title(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def parent_of(overlord) -> int:
    """Return the parent that lives; 0: none does."""
    pid = overlord.pids("feed.service")[-1]
    return pid if is_alive(pid) else 0


def worker_of(overlord) -> int:
    """Return the process that works; 0: none does. A parent whose first worker is killed too soon ends with it."""
    parent = parent_of(overlord)
    return next((pid for pid, name in children(parent).items() if name.endswith("worker")), 0) if parent else 0


def kill(pid: int, signum: int = signal.SIGKILL) -> None:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return


def storm(place, overlord, goal: tuple[int, int, float], chance: random.Random) -> tuple[int, int]:
    """Kill so many workers, or for so long, and the parent after each row; return how many of both were killed.

    Three of four workers have begun to work; the others are killed at any time, also before that.
    """
    (workers, row, seconds), killed, parents = goal, 0, 0
    end = time.monotonic() + seconds
    while killed < workers and time.monotonic() < end:
        if chance.random() < 0.75:
            size = written(place)
            wait_until(lambda size=size: written(place) > size)
        time.sleep(chance.expovariate(40))
        kill(wait_until(lambda: worker_of(overlord)))
        killed += 1
        if killed % row == 0:
            parent = wait_until(lambda: parent_of(overlord))
            below = children(parent)
            kill(parent)
            parents += 1
            wait_until(lambda below=below: not any(map(is_alive, below)))
    return killed, parents


class Strikes:
    """What can happen to the processes of a service. Each strike ends when the process that it was for is dead."""

    def __init__(self, overlord) -> None:
        self._overlord = overlord
        self.done: dict[str, int] = {}

    def make(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1
        victim = wait_until(lambda: (parent_of if what.endswith("parent") else worker_of)(self._overlord))
        below = children(victim)
        getattr(self, f"_{what.partition(' ')[0]}")(victim, below)
        if what != "reload":  # that is refused while no worker runs, and a later strike may come in between
            wait_until(lambda: not any(map(is_alive, (victim, *below))))

    def _kill(self, victim: int, _below) -> None:
        kill(victim)

    def _stop(self, victim: int, _below) -> None:
        kill(victim, signal.SIGSTOP)

    def _end(self, victim: int, below) -> None:
        """As an impatient person does: many times, and everybody."""
        for _ in range(5):
            for pid in (victim, *below):
                kill(pid, signal.SIGTERM)

    def _reload(self, _worker: int, _below) -> None:
        if parent := parent_of(self._overlord):
            kill(parent, signal.SIGHUP)


#: What comes after each other: the parent's turn ends a row of crashes, so that the hold-off does not become long.
ROW = ("kill", "stop", "reload", "kill", "reload", "stop", "kill")
LAST = ("kill parent", "stop parent", "end parent", "end worker")


def tumult(place, strikes: Strikes, goal: tuple[int, float], chance: random.Random) -> None:
    """Strike so many rows, or for so long."""
    rows, seconds = goal
    end = time.monotonic() + seconds
    for number in range(rows):
        for what in (*chance.sample(ROW, 3), LAST[number % len(LAST)]):
            if chance.random() < 0.75:
                size = written(place)
                wait_until(lambda size=size: written(place) > size)
            time.sleep(chance.expovariate(40))
            strikes.make(what)
        if time.monotonic() > end:
            return


def reloaded(overlord) -> bool:
    """Reload, and wait until another worker of the same parent works; False if it was refused."""
    parent, old = wait_until(lambda: parent_of(overlord)), wait_until(lambda: worker_of(overlord))
    refused = overlord.text.count("did not reload")
    kill(parent, signal.SIGHUP)
    wait_until(lambda: not is_alive(old) or overlord.text.count("did not reload") > refused)
    return not is_alive(old) and parent_of(overlord) == parent


def written(place) -> int:
    """Return how much the service has written down."""
    path = place.file("s/feed/log")
    return os.stat(path).st_size if os.path.exists(path) else 0


def test_a_storm_of_kills(place, tell, long):
    seed = random.randrange(1 << 32)
    place.service("feed", f"{sys.executable} {PROGRAM}", *UNIT.splitlines(), unit=NO_LIMIT)
    overlord = place.start("feed")
    overlord.wait_for("Unit feed.service is ready")
    goal = (1000, 10, 3000.0) if long else (1000, 5, 18.0)
    workers, parents = storm(place, overlord, goal, random.Random(seed))
    before = written(place)
    wait_until(lambda: "\nend " in place.read("s/feed/log")[before:])
    assert overlord.stop() == 0
    judge = Judge()
    for line in place.read("s/feed/log").splitlines():
        judge.read(line)
    assert judge.faults[:5] == [], f"seed {seed}, {len(judge.faults)} faults"
    assert judge.undone > workers / 4
    assert (workers, parents) == (1000, 100) if long else workers > 10
    tell(workers + parents, f"SIGKILL of {workers} workers and {parents} parents, {judge.visits} visits,"
         f" {judge.undone} undone")  # fmt: skip


def test_a_storm_of_stops_ends_and_reloads(place, tell, long):
    """SIGSTOP of worker and parent, bursts of SIGTERM, and SIGHUP while records are written, between kills."""
    seed = random.randrange(1 << 32)
    place.service("feed", f"{sys.executable} {PROGRAM}", *WATCHED.splitlines(), unit=NO_LIMIT)
    overlord = place.start("feed")
    overlord.wait_for("Unit feed.service is ready")
    strikes = Strikes(overlord)
    tumult(place, strikes, (300, 5000.0) if long else (300, 25.0), random.Random(seed))
    before = written(place)
    wait_until(lambda: "\nend " in place.read("s/feed/log")[before:])
    wait_until(lambda: reloaded(overlord))
    assert overlord.stop() == 0
    judge = Judge()
    for line in place.read("s/feed/log").splitlines():
        judge.read(line)
    assert judge.faults[:5] == [], f"seed {seed}, {len(judge.faults)} faults"
    assert set(strikes.done) >= {"kill", "stop", "reload", "stop parent", "end parent"}
    figures = ", ".join(f"{count} {what}" for what, count in sorted(strikes.done.items()))
    tell(sum(strikes.done.values()), f"{figures}; {judge.visits} visits, {judge.undone} undone")


def judged(*lines: str) -> list[str]:
    judge = Judge()
    for line in lines:
        judge.read(line)
    return [fault.partition(":")[0] for fault in judge.faults]


FINE = [
    ("begin a 1", "step a 1 1", "end a 1", "begin b 1"),
    ("begin a 1", "step a 1 1", "undo a 1 2", "undone a 2", "begin b 2"),
    ("begin a 1", "step a 1 1", "undo a 2 2", "undo a 2 3", "undone a 3", "undo a 2 4", "undone a 4", "begin b 4"),
    ("begin a 1", "end a 1", "undo a 0 2", "undone a 2"),
    ("undo a 0 2", "undone a 2", "begin b 2"),
]
WRONG = {
    "two workers": ("begin a 1", "two 2"),
    "a process that another one has replaced goes on": ("begin a 1", "undo a 0 2", "step a 1 1"),
    "visit a was never undone": ("begin a 1", "begin b 2"),
    "checkpoint 2 was lost": ("begin a 1", "step a 2 1", "undo a 1 2"),
    "undone twice by one process": ("begin a 1", "undo a 0 2", "undone a 2", "undo a 0 2"),
    "an undoing that has not begun": ("begin a 1", "undone a 2"),
}


def test_the_judge_sees_what_must_not_be():
    assert [judged(*lines) for lines in FINE] == [[]] * len(FINE)
    assert {fault: judged(*lines)[:1] for fault, lines in WRONG.items()} == {fault: [fault] for fault in WRONG}
