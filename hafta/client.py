"""hafta-client: reads records from a named pipe, and rolls back when something is wrong.

The tutorial's client. 25 good reads end a sequence, and the next one begins. Bad data is tried again; five times in a
row, and the pipe is opened anew. A server that has died is waited for, for ever.
"""

from __future__ import annotations

import os
import sys
from enum import IntEnum

import hafta
from hafta import fifo, settings
from hafta.policies import FOREVER, Attempts
from hafta.reader import BadData, Reader, ServerGone
from hafta.service.runner import program_of, run

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
    """The userdata: the settings and the pipe."""

    def __init__(self, values: settings.Values) -> None:
        self.goal: int = values.reads
        self.reader = Reader(values.pipe or fifo.default_path(os.environ))


client = hafta.Sequence("client")


@client.node(policy=Attempts(FOREVER))
def open_pipe(run: Run) -> Node:
    """Open the pipe, or go on with the one of the sequence before."""
    run.data.reader.open(run)
    return get_work


@open_pipe.rollback
def reopen(run: Run, _checkpoint: int) -> Node:
    """Give the overlord a second to restart the server. Never fails: there is no node to go back to."""
    run.data.reader.close()
    run.say("Open failed! Perhaps the server died?")
    run.sleep(1)
    return open_pipe


@client.node
def get_work(run: Run) -> Verdict:
    """Read and check 25 records. Those that came in one read are told in one line, which says what it makes in all."""
    reader, reads = run.data.reader, 0
    while reads < run.data.goal:
        run.checkpoint(CP.CLEAR)
        reader.receive(run)
        run.checkpoint(CP.RECEIVED)
        reads += reader.take(run.data.goal - reads)
        run.say(f"{reads} successful read(s)")
        run.status(str(reader))
    return hafta.EXIT


@get_work.rollback
def try_again(run: Run, checkpoint: int) -> Node:
    """Say what it was. Whether the read failed or the data was bad, the way on is the same."""
    if checkpoint == CP.RECEIVED:
        run.say("Some bad data")
    elif checkpoint != CP.CLEAR:
        run.panic(f"invalid checkpoint {checkpoint}")
    return get_work


@get_work.policy
def judge(run: Run, event: PolicyEvent) -> Verdict:
    """A server that has gone is not worth five attempts; all else is for the default policy."""
    if isinstance(event.reason, ServerGone) and event.kind is hafta.NORMAL_FAIL:
        run.data.reader.close()
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
    ),
    name="hafta-client",
)


def main(argv: list[str] | None = None) -> int:
    """Run hafta-client and return its exit status (hafta.exits)."""
    return run(client, Data, program=PROGRAM, argv=argv)


if __name__ == "__main__":
    sys.exit(main())
