"""What runs on each host: a sequence that counts, with an effect on the world outside for each number.

What it has had acknowledged, and what it does, is written to a history that all hosts share, as the judge's view.
"""

import os
import sys

import hafta
import hafta.service
from hafta.settings import Setting, path

sys.path.insert(0, os.path.dirname(__file__))
from outside import Refused, World

count = hafta.Sequence("count")
PLACE = Setting("world", path, "", "where the world is", "PATH")
PAUSE = 0.02  # seconds between two numbers


class Data:
    """The userdata."""

    def __init__(self, values):
        self.world = World(values.world)
        self.kept = {"n": 0}


def tell(run, what, n):
    run.data.world.tell(what=what, n=n, token=run.token, host=os.uname().nodename, pid=os.getpid())


def do(run, act, n):
    """Change the world; one that has seen a newer token refuses, and then this process must not go on."""
    try:
        act(n, run.token)
    except Refused as error:
        tell(run, "refused", n)
        raise hafta.ServiceError(str(error), "another host has taken over") from error


@count.node
def work(run):
    n = run.data.kept["n"] + 1
    run.checkpoint(1, n=n)
    tell(run, "acknowledged", n)
    run.sleep(PAUSE)  # most of the time it stands before its effect: where a stop does most harm
    do(run, run.data.world.add, n)
    run.data.kept["n"] = n
    return work


@work.rollback
def undo(run, checkpoint):
    if checkpoint:
        tell(run, "undo", run.state["n"])
        do(run, run.data.world.remove, run.state["n"])
    return work


if os.environ.get("CONTROL"):
    import controls

    getattr(controls, os.environ["CONTROL"])()

checkpoints = hafta.service.state_checkpoints(keep=lambda data: data.kept)
sys.exit(hafta.service.run(count, Data, settings=[PLACE], checkpoints=checkpoints))
