"""A warm service that writes down all that it does, one line in one write each. The folder is its only argument.

two WHO             another process is at work: it has the lock
begin ID WHO        a normal function has recorded that it is this visit
step ID N WHO       its checkpoint N has been acknowledged
end ID WHO          it is about to succeed
undo ID N WHO       its rollback function begins, and is told that N was recorded
undone ID WHO       that is about to succeed
"""

import fcntl
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../.."))

import hafta
import hafta.service
from hafta.policies import FOREVER, Attempts

STEPS = 20
FOLDER = os.environ["STATE_DIRECTORY"]
feed = hafta.Sequence("feed")
me = []  # who this worker is; its parent never asks
lock = []  # the descriptor, from the first node on


def who():
    """Return what no other process is called: pids are used again."""
    if not me:
        me.append(f"{os.getpid()}.{time.monotonic_ns()}")
    return me[0]


def note(*words):
    log = os.open(f"{FOLDER}/log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.write(log, f"{' '.join(map(str, words))} {who()}\n".encode())
    os.close(log)


def be_alone():
    """Take the lock, which is held until the process is dead."""
    if not lock:
        lock.append(os.open(f"{FOLDER}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        try:
            fcntl.flock(lock[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("two")


@feed.node(policy=Attempts(FOREVER))
def work(run):
    be_alone()
    visit = f"{who()}.{time.monotonic_ns()}"
    run.checkpoint(1, visit=visit, step=0)
    note("begin", visit)
    for step in range(1, STEPS + 1):
        run.checkpoint(2, step=step)
        note("step", visit, step)
        run.sleep(0.001)
    note("end", visit)
    return hafta.EXIT


@work.rollback
def undo(run, checkpoint):
    be_alone()
    if checkpoint:
        visit, step = run.state["visit"], run.state["step"]
        note("undo", visit, step)
        run.sleep(0.002)
        note("undone", visit)


sys.exit(hafta.service.run(feed, warm=True, checkpoints=hafta.service.state_checkpoints()))
