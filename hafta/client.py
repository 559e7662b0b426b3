"""hafta-client: reads the pipe in records of 26 bytes and rolls back when something is wrong.

The tutorial's client: two nodes, 25 good reads make a sequence, then the next sequence begins. Bad data is tried again,
five times in a row, then the pipe is opened anew; a dead server is waited for, for ever.
"""

from __future__ import annotations

import os
import sys
from enum import IntEnum

import hafta
from hafta import fifo, settings
from hafta.policies import FOREVER, Attempts
from hafta.service.runner import program_of, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.drivers.run import Run
    from hafta.engine.node import Node
    from hafta.engine.words import PolicyEvent, Verdict

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SIZE = len(ALPHABET)
GOOD = ALPHABET * 2520  # a whole number of records just below the 64 KiB that a pipe holds


class CP(IntEnum):
    """How far a read has come."""

    CLEAR = 0
    RECEIVED = 1


class ReadFailed(Exception):
    """The server has closed the pipe."""


class BadData(Exception):
    """A record is not the alphabet; its first bad byte tells which."""

    def __init__(self, record: bytes) -> None:
        self.byte = next(chr(got) for got, good in zip(record, ALPHABET, strict=True) if got != good)
        super().__init__(f"bad data: {record.decode('ascii', 'backslashreplace')}")


class Reader:
    """The userdata: the pipe, and what has been read of it but not yet looked at."""

    def __init__(self, values: settings.Values) -> None:
        self.path: str = values.pipe or fifo.default_path(os.environ)
        self.reads: int = values.reads
        self.fd: int | None = None
        self.unread = bytearray()
        self.records = self.bad = 0

    def close(self) -> None:
        """Close the pipe and forget what was left of it."""
        if self.fd is not None:
            os.close(self.fd)
        self.fd = None
        self.unread.clear()

    def receive(self, run: Run) -> None:
        """Wait until there is at least one whole record: a pipe may deliver it in pieces. End of file raises."""
        assert self.fd is not None
        while len(self.unread) < SIZE:
            piece = fifo.read(self.fd, len(GOOD))
            if piece is None:
                run.wait(self.fd)
            elif piece:
                self.unread += piece
            else:
                raise ReadFailed("the server has closed the pipe")

    def take(self, most: int) -> int:
        """Take the good records at the front, at most so many, and return their number. Bad data raises."""
        good = min(good_records(self.unread), most)
        if not good:
            record = bytes(self.unread[:SIZE])
            del self.unread[:SIZE]
            self.bad += 1
            raise BadData(record)
        del self.unread[: good * SIZE]
        self.records += good
        return good


client = hafta.Sequence("client")


@client.node(policy=Attempts(FOREVER))
def open_pipe(run: Run) -> Node:
    """Open the pipe and wait for a server; a sequence that follows another goes on with the same pipe."""
    reader: Reader = run.data
    if reader.fd is None:
        run.status(f"waiting for a server on {reader.path}")
        reader.fd = fifo.open_reader(reader.path)
        run.wait(reader.fd)
    return get_work


@open_pipe.rollback
def undo_open(run: Run, _checkpoint: int) -> Node:
    """Give the overlord a second to restart the server. Always succeeds: there is no node to go back to."""
    run.data.close()
    run.say("Open failed! Perhaps the server died?")
    run.sleep(1)
    return open_pipe


@client.node
def get_work(run: Run) -> hafta.Verdict:
    """Read and check 25 records."""
    reader: Reader = run.data
    reads = 0
    while reads < reader.reads:
        run.checkpoint(CP.CLEAR)
        reader.receive(run)
        run.checkpoint(CP.RECEIVED)
        reads += reader.take(reader.reads - reads)
        run.say(f"{reads} successful read(s)")
        run.status(f"{reader.records} records read, {reader.bad} bad")
    return hafta.EXIT


@get_work.rollback
def undo_work(run: Run, checkpoint: int) -> Node:
    """Say what it was. Whether the read failed or the data was bad, the way on is the same: try again."""
    if checkpoint not in set(CP):
        run.panic(f"invalid checkpoint {checkpoint}")
    if checkpoint == CP.RECEIVED:
        run.say("Some bad data")
    return get_work


@get_work.policy
def judge_work(run: Run, event: PolicyEvent) -> Verdict:
    """A closed pipe is not worth five attempts: open it anew at once. Anything else is for the default policy."""
    if event.kind is hafta.NORMAL_FAIL:
        if isinstance(event.reason, ReadFailed):
            run.data.close()
            return hafta.ROLL_BACK_PREVIOUS
        run.say(f"policy_data = {getattr(event.reason, 'byte', event.reason)}")
    return hafta.default_policy(run, event)


def good_records(data: bytearray) -> int:
    """Return how many whole records at the front are the alphabet, every byte of them compared."""
    whole = len(data) // SIZE
    if data.startswith(GOOD[: whole * SIZE]):
        return whole
    low, high = 0, whole  # the first `low` records are good, the first `high` are not all
    while high - low > 1:
        middle = (low + high) // 2
        if data.startswith(GOOD[: middle * SIZE]):
            low = middle
        else:
            high = middle
    return low


PROGRAM = program_of(
    client,
    "Read records from a named pipe, and roll back when the data is bad or the server has died.",
    (
        settings.Setting(
            "pipe", settings.path, None, "the named pipe to read", "PATH", shown_default="that of hafta-server"
        ),
        settings.Setting("reads", settings.whole, 25, "how many good reads make a sequence", "N"),
    ),
    name="hafta-client",
)


def main(argv: list[str] | None = None) -> int:
    """Run hafta-client and return its exit status."""
    return run(client, Reader, program=PROGRAM, argv=argv)


if __name__ == "__main__":
    sys.exit(main())
