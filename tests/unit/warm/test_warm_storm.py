"""Hundreds of kills of worker, standby and parent: never two workers, no acknowledged checkpoint lost, nobody left."""

import os
import random
import signal
import time

from processes import Child, is_alive, wait_until
from warm_support import children

KILLS = 150

#: Counts in kept values, and takes a lock that only one process may have: the witness. Each acknowledged count is one
#: byte in a file, written after the checkpoint has returned.
PROGRAM = """
import fcntl, os, sys
import hafta, hafta.service
from hafta.policies import FOREVER, Attempts

witness = os.environ["WITNESS"]
kept = {"n": 0}
feed = hafta.Sequence("feed")

@feed.node(policy=Attempts(FOREVER))
def work(run):
    held = os.open(witness + "/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(os.open(witness + "/two", os.O_CREAT))
    acknowledged = os.open(witness + "/acknowledged", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    if run.data["n"] < os.fstat(acknowledged).st_size:
        os.close(os.open(witness + "/lost", os.O_CREAT))
    for _ in range(40):
        run.data["n"] += 1
        run.checkpoint(1, n=run.data["n"])
        os.write(acknowledged, b".")
        run.sleep(0.001)
    os.close(acknowledged)
    os.close(held)
    return hafta.EXIT

@work.rollback
def undo(run, checkpoint):
    run.data["n"] = max(run.data["n"], run.state.get("n", 0))

sys.exit(hafta.service.run(
    feed, kept, warm=True, deadline=5, checkpoints=hafta.service.state_checkpoints(keep=lambda data: data),
))
"""


def test_a_storm_of_kills(tmp_path, monkeypatch):
    """Without $RUNTIME_DIRECTORY the parent counts, too: each tenth kill is the parent's, which begins a new row."""
    chance = random.Random(7)
    child, parents = None, 0
    for number in range(KILLS):
        if child is None:
            child, parents = start(tmp_path), parents + 1
        child.drain()
        if number % 2:  # every second one has begun to work, however busy the machine is
            before = acknowledged(tmp_path)
            wait_until(lambda before=before: acknowledged(tmp_path) > before, "work")
        time.sleep(chance.expovariate(60))
        below = children(child.process.pid)
        victim = child.process.pid if number % 5 == 4 or not below else chance.choice(below)
        os.kill(victim, signal.SIGKILL)
        if victim == child.process.pid:
            child.process.wait()
            wait_until(lambda below=below: not any(map(is_alive, below)), "the end of all workers")
            child.__exit__()
            child = None
    if child is not None:
        child.__exit__()
    assert parents > 20
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["acknowledged", "lock"]
    assert acknowledged(tmp_path) >= KILLS // 2


def acknowledged(directory):
    """Return how many counts have been."""
    path = directory / "acknowledged"
    return path.stat().st_size if path.exists() else 0


def start(directory):
    child = Child(PROGRAM, "--standby=0.02", WITNESS=str(directory), STATE_DIRECTORY=str(directory / "state"))
    child.wait_told("READY=1")
    return child
