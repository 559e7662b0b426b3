"""hafta-client: reads records from a named pipe, and rolls back when something is wrong.

The client of the tutorial. After 25 good reads a sequence ends, and the next one begins. Bad data is read again; after
five failures in a row the pipe is opened again. If the server has died, the client waits for it, for ever. If it has a
directory for checkpoints, a client that was killed resumes with the reads of its sequence and with all its counts.
"""

from __future__ import annotations

if __name__ == "__main__":
    import signal

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback until the service has handlers

import os
import sys
from enum import IntEnum

import hafta
from hafta import fifo, settings
from hafta.errors import ServiceError
from hafta.policies import FOREVER, Attempts
from hafta.reader import BadData, Reader, ServerGone
from hafta.service.runner import INSTANCE, STATE, default_store, program_of, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.drivers.run import Run
    from hafta.engine.node import Node
    from hafta.engine.words import PolicyEvent, Verdict


class CP(IntEnum):
    """How far a read has come."""

    CLEAR = 0
    RECEIVED = 1


class Data:
    """The userdata: the settings, the pipe, and what outlives each sequence (and, with checkpoints, the process)."""

    def __init__(self, values: settings.Values) -> None:
        self.goal: int = values.reads
        self.kept = {"reads": 0, "good": 0, "bad": 0, "rollbacks": 0}  # reads: in this sequence
        self.reader = Reader(values.pipe or fifo.default_path(os.environ))
        self.complained = ""  # the last reported reason why the pipe cannot be opened


client = hafta.Sequence("client")


@client.node(policy=Attempts(FOREVER))
def open_pipe(run: Run) -> Node:
    """Open the pipe, unless the previous sequence has left it open."""
    run.data.reader.open(run)
    run.data.complained = ""
    return get_work


@open_pipe.rollback
def reopen(run: Run, _checkpoint: int) -> Node:
    """Wait up to a second for the overlord to restart the server. There is no node to go back to."""
    run.data.kept["rollbacks"] += 1
    if isinstance(run.reason, hafta.Interrupted):  # this client died, not the server
        run.data.reader.close()
    else:
        run.say("Open failed! Perhaps the server died?")
        if isinstance(run.reason, ServiceError):
            run.status(f"waiting: {run.reason}")
            if run.data.complained != str(run.reason):
                run.data.complained = str(run.reason)
                run.say(f"{run.reason}; {run.reason.hint}")
        run.data.reader.rest(run, 1, until_server=isinstance(run.reason, ServerGone))
    return open_pipe


@client.node
def get_work(run: Run) -> Verdict:
    """Read and check 25 records. Records that arrive in one read are reported in one line, with the total."""
    reader, kept, goal = run.data.reader, run.data.kept, run.data.goal
    reads, good = kept["reads"], kept["good"]
    run.checkpoint(CP.CLEAR, reads=reads, good=good)
    while reads < goal:
        reader.receive(run)
        run.checkpoint(CP.RECEIVED)
        taken = reader.take(goal - reads)
        reads, good = reads + taken, good + taken
        run.checkpoint(CP.CLEAR, reads=reads, good=good)  # before the line: what was printed must be recorded
        run.say(f"{reads} successful read(s)")
        run.status(f"{good:,} good reads, {kept['bad']:,} bad, {kept['rollbacks']:,} rollbacks")
    kept.update(reads=0, good=good)
    return hafta.EXIT


@get_work.rollback
def try_again(run: Run, checkpoint: int) -> Node:
    """Say what happened. After a failed read, bad data or a death of the process, the next node is the same.

    A failure ends the row of good reads. The death of the process does not: its reads were good.
    """
    kept, interrupted = run.data.kept, isinstance(run.reason, hafta.Interrupted)
    kept["reads"] = run.state.get("reads", 0) if interrupted else 0
    kept["good"] = run.state.get("good", kept["good"])
    kept["bad"] += isinstance(run.reason, BadData)
    kept["rollbacks"] += 1
    if checkpoint == CP.RECEIVED:
        run.say("Some data was lost" if interrupted else "Some bad data")
    elif checkpoint != CP.CLEAR:
        run.panic(f"invalid checkpoint {checkpoint}")
    return get_work


@get_work.policy
def judge(run: Run, event: PolicyEvent) -> Verdict:
    """Do not try five times when the server has gone. For everything else the default policy decides."""
    if isinstance(event.reason, ServerGone) and event.kind is hafta.NORMAL_FAIL:
        return hafta.ROLL_BACK_PREVIOUS
    if isinstance(event.reason, BadData) and event.kind is hafta.NORMAL_FAIL:
        run.say(f"policy_data = {event.reason.byte}")
    return hafta.default_policy(run, event)


PROGRAM = program_of(
    client,
    "Read records from a named pipe, and roll back when the data is bad or the server has died.",
    (
        settings.Setting(
            "pipe", settings.path, None, "the named pipe to read", "PATH", shown_default="that of hafta-server"
        ),
        settings.Setting("reads", settings.positive, 25, "how many good reads make a sequence", "N"),
        STATE.replace(shown_default="$STATE_DIRECTORY; without either, nothing outlives the process"),
        INSTANCE,
    ),
    name="hafta-client",
    durable=True,
)


def checkpoints_of(values: settings.Values, data: Data) -> hafta.Checkpoints | None:
    """Return checkpoints only if a place is given: two clients started by hand must not share one record."""
    if not values.state and not values.store and not os.environ.get("STATE_DIRECTORY"):
        return None
    return hafta.Checkpoints(default_store(values), instance=values.instance, keep=data.kept)


def main(argv: list[str] | None = None) -> int:
    """Run hafta-client and return its exit status (hafta.exits)."""
    return run(client, Data, program=PROGRAM, checkpoints=checkpoints_of, argv=argv)


if __name__ == "__main__":
    sys.exit(main())
