"""A storm of SIGKILL on the worker and the parent of a warm service under the embedded overlord.

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


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
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
