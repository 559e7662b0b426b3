"""hafta-client: reads records from a named pipe, and rolls back when something is wrong.

The tutorial's client. 25 good reads end a sequence, and the next one begins. Bad data is tried again; five times in a
row, and the pipe is opened anew. A server that has died is waited for, for ever. Where it has a directory for
checkpoints, a client that was killed goes on where it was: with the reads of its sequence, and all that it counted.
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
    from hafta.stores.protocol import Store


class CP(IntEnum):
    """How far a read has come."""

    CLEAR = 0
    RECEIVED = 1


class Data:
    """The userdata: the settings, the pipe, and what outlives each sequence (and where it is durable, the process)."""

    def __init__(self, values: settings.Values) -> None:
        self.goal: int = values.reads
        self.kept = {"reads": 0, "good": 0, "bad": 0, "rollbacks": 0}  # reads: in this sequence
        self.reader = Reader(values.pipe or fifo.default_path(os.environ), self.kept)
        self.told = ""  # what keeps us from opening the pipe, as far as it was said


client = hafta.Sequence("client")


@client.node(policy=Attempts(FOREVER))
def open_pipe(run: Run) -> Node:
    """Open the pipe, or go on with the one of the sequence before."""
    run.data.reader.open(run)
    run.data.told = ""
    return get_work


@open_pipe.rollback
def reopen(run: Run, _checkpoint: int) -> Node:
    """Give the overlord a second, less if it is quick, to restart the server. There is no node to go back to."""
    run.data.kept["rollbacks"] += 1
    if isinstance(run.reason, hafta.Interrupted):  # it was us who died
        run.data.reader.close()
    else:
        run.say("Open failed! Perhaps the server died?")
        if isinstance(run.reason, ServiceError):
            run.status(f"waiting: {run.reason}")
            if run.data.told != str(run.reason):
                run.data.told = str(run.reason)
                run.say(f"{run.reason}; {run.reason.hint}")
        run.data.reader.rest(run, 1, until_server=isinstance(run.reason, ServerGone))
    return open_pipe


@client.node
def get_work(run: Run) -> Verdict:
    """Read and check 25 records. Those that came in one read are told in one line, which says what it makes in all."""
    reader, kept, goal = run.data.reader, run.data.kept, run.data.goal
    while kept["reads"] < goal:
        run.checkpoint(CP.CLEAR)
        reader.receive(run)
        run.checkpoint(CP.RECEIVED)
        kept["reads"] += reader.take(goal - kept["reads"])
        run.say(f"{kept['reads']} successful read(s)")
        run.status(f"{reader}, {kept['rollbacks']:,} rollbacks")
    kept["reads"] = 0
    return hafta.EXIT


@get_work.rollback
def try_again(run: Run, checkpoint: int) -> Node:
    """Say what it was. Whether the read failed, the data was bad or the process died, the way on is the same."""
    run.data.kept["rollbacks"] += 1
    if checkpoint == CP.RECEIVED:
        run.say("Some data was lost" if isinstance(run.reason, hafta.Interrupted) else "Some bad data")
    elif checkpoint != CP.CLEAR:
        run.panic(f"invalid checkpoint {checkpoint}")
    return get_work


@get_work.policy
def judge(run: Run, event: PolicyEvent) -> Verdict:
    """A server that has gone is not worth five attempts; all else is for the default policy.

    A failure ends the row of good reads. The death of the process does not: its reads were good.
    """
    if event.kind is hafta.NORMAL_FAIL:
        run.data.kept["reads"] = 0
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


def store_of(values: settings.Values) -> Store | None:
    """Return a store where a directory is given: two clients started by hand must not meet in one record."""
    return default_store(values) if values.state or os.environ.get("STATE_DIRECTORY") else None


def main(argv: list[str] | None = None) -> int:
    """Run hafta-client and return its exit status (hafta.exits)."""
    return run(client, Data, program=PROGRAM, store=store_of, keep=lambda data: data.kept, argv=argv)


if __name__ == "__main__":
    sys.exit(main())
