"""What durable calls cost, each figure beside the least that could be done, and beside SQLite doing the same.

Times are of the wall, for what waits for a disk; of the processor, for what does not.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any, TypeVar

from engine import Silent
from measure import ROOT, Line, compare, cpu, environment, wall

import hafta
from hafta.policies import FOREVER, Attempts
from hafta.stores import FileStore

T = TypeVar("T")


def _bare() -> float:
    return _start([sys.executable, "-c", "import os; os._exit(0)"])


CHECKPOINTS = 20_000
SYNCED = 100
TRANSITIONS = 2_000
CLAIMS = 200


class CP(IntEnum):
    WORKING = 1


def lines() -> Iterator[Line | str]:
    """Measure and yield the lines of the report."""
    with tempfile.TemporaryDirectory(dir=_on_a_disk()) as folder:
        bench = Bench(folder)
        yield from bench.checkpoints()
        yield from bench.transitions()
        yield from bench.starts()
        yield from bench.peers()


class Bench:
    """Files to write to, and what is measured."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.fd = os.open(f"{folder}/plain", os.O_RDWR | os.O_CREAT, 0o600)
        os.pwrite(self.fd, bytes(8192), 0)
        os.fsync(self.fd)
        self.record = bytes(self.size_of_a_record(self.checkpoint_twice))

    def checkpoints(self) -> Iterator[Line | str]:
        """A checkpoint at each level."""
        yield compare(
            "process checkpoint", self.process, lambda: self.pwrite(self.record), unit="ns",
            against=f"os.pwrite of its {len(self.record)} bytes", goal="3.3x",
        )  # fmt: skip
        yield compare(
            "process checkpoint", lambda: self.process() / 1000, lambda: self.sqlite("NORMAL"), unit="us",
            against="sqlite3 WAL NORMAL, a commit", goal="0.25x",
        )  # fmt: skip
        yield self.in_a_node(self.one_by_one, level="power")
        yield compare(
            "power checkpoint", self.power, lambda: self.sqlite("FULL"), unit="us", against="sqlite3 WAL FULL, a commit"
        )

    def transitions(self) -> Iterator[Line | str]:
        """From node to node, one record; a failure undone and tried again, two; claiming a record and reading it.

        Who records the same by hand commits twice for each: that a function has ended, and that the next one begins.
        """
        for what, ours, number in (
            ("transition with a store", self.walk, 1),
            ("fail + rollback + retry with a store", self.retry, 2),
        ):
            record = bytes(self.size_of_a_record(ours))
            yield compare(
                what, ours, lambda record=record, number=number: self.pwrite(record) * number, unit="ns",
                against=f"{number} os.pwrite of its {len(record)} bytes",
            )  # fmt: skip
            yield compare(
                what, lambda ours=ours: ours() / 1000, lambda: self.sqlite("NORMAL") * 2, unit="us",
                against="sqlite3 WAL NORMAL, two commits", goal="0.7x",
            )  # fmt: skip
        yield compare(
            "claim and read a record", self.claim, self.sqlite_open, unit="us", against="sqlite3 open, select"
        )

    def starts(self) -> Iterator[Line | str]:
        """How soon the rollback function of the interrupted node runs in the next process."""
        self.interrupt()
        bare = "bare interpreter"
        yield compare("start to the rollback", self.resume, _bare, unit="ms", against=bare, goal="2.1x", rounds=40)

    def peers(self) -> Iterator[Line | str]:
        """A step of DBOS and of TaskFlow, each on SQLite, when the bench is told to install them."""
        if os.environ.get("HAFTA_BENCH_PEERS") != "1":
            yield "DBOS, TaskFlow: not measured (HAFTA_BENCH_PEERS=1 installs them into an environment of their own)"
            return
        python = _peers_python()
        for name in ("dbos", "taskflow"):
            command = [python, f"{ROOT}/tests/bench/durable_peers.py", name, self.folder]
            theirs = lambda command=command: float(subprocess.run(command, check=True, capture_output=True).stdout)
            ours = lambda: self.walk() / 1000
            yield compare(
                "transition with a store", ours, theirs, unit="us", against=f"{name} on SQLite, a step", rounds=3
            )

    def process(self) -> float:
        """Return the nanoseconds of a checkpoint at the level process."""
        return self.in_a_node(
            lambda run: cpu(lambda: [run.checkpoint(CP.WORKING, offset=n) for n in range(CHECKPOINTS)], CHECKPOINTS)
        )

    def power(self) -> float:
        """Return the microseconds of a checkpoint at the level power."""
        return self.in_a_node(
            lambda run: wall(lambda: [run.checkpoint(CP.WORKING, offset=n) for n in range(SYNCED)], SYNCED) / 1000,
            level="power",
        )

    def one_by_one(self, run: hafta.Run) -> Line:
        """Compare a checkpoint at the level power: a disk has its moods, so that one record of each comes in turn."""
        ours = lambda number: wall(lambda: run.checkpoint(CP.WORKING, offset=number), 1) / 1000
        theirs = lambda number: wall(lambda: self.write_and_sync(number), 1) / 1000
        pairs = [(ours(number), theirs(number)) for number in range(10 * SYNCED)]
        mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
        return Line("power checkpoint", mine, theirs, mine / theirs, "us", "pwrite + fdatasync of its bytes", "1.2x")

    def write_and_sync(self, number: int) -> None:
        """Write the same bytes and bring them to the disk."""
        os.pwrite(self.fd, self.record, (number & 1) * 4096)
        os.fdatasync(self.fd)

    def pwrite(self, data: bytes) -> float:
        """Return the nanoseconds of the write alone, to one place and another in turn."""
        fd, pwrite = self.fd, os.pwrite
        return cpu(lambda: [pwrite(fd, data, (n & 1) * 4096) for n in range(CHECKPOINTS)], CHECKPOINTS)

    def sqlite(self, synchronous: str) -> float:
        """Return the microseconds of one update, committed."""
        timed = wall if synchronous == "FULL" else cpu  # the other does not wait for the disk
        with sqlite3.connect(f"{self.folder}/{synchronous}.db", isolation_level=None) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute(f"PRAGMA synchronous={synchronous}")
            database.execute("CREATE TABLE IF NOT EXISTS record (name TEXT PRIMARY KEY, checkpoint INT, offset INT)")
            database.execute("INSERT OR REPLACE INTO record VALUES ('s', 0, 0)")
            update = "UPDATE record SET checkpoint=1, offset=? WHERE name='s'"
            took = timed(lambda: [database.execute(update, (n,)) for n in range(SYNCED)], SYNCED) / 1000
        database.close()
        return took

    def sqlite_open(self) -> float:
        """Return the microseconds of opening the database and reading the row."""

        def look() -> None:
            database = sqlite3.connect(f"{self.folder}/NORMAL.db")
            database.execute("SELECT * FROM record WHERE name='s'").fetchone()
            database.close()

        return cpu(lambda: [look() for _ in range(CLAIMS)], CLAIMS) / 1000

    def walk(self) -> float:
        """Return the nanoseconds of a transition."""
        sequence, left = hafta.Sequence("walk"), iter(range(TRANSITIONS))

        @sequence.node
        def there(_run: hafta.Run) -> Any:
            return back

        @sequence.node
        def back(_run: hafta.Run) -> Any:
            return hafta.EXIT if next(left, None) is None else there

        return self.timed(sequence, TRANSITIONS * 2)

    def retry(self) -> float:
        """Return the nanoseconds of a failure, its rollback, and the beginning of the next attempt."""
        sequence, left = hafta.Sequence("retry"), iter(range(TRANSITIONS))

        @sequence.node(policy=Attempts(FOREVER))
        def work(_run: hafta.Run) -> Any:
            if next(left, None) is None:
                return hafta.EXIT
            raise ValueError("bad data")

        work.rollback(lambda _run, _checkpoint: work)
        return self.timed(sequence, TRANSITIONS)

    def timed(self, sequence: hafta.Sequence, units: int) -> float:
        """Return the nanoseconds of one of so many parts of a durable call."""
        checkpoints = hafta.Checkpoints(FileStore(self.folder))
        return cpu(lambda: sequence.call(runtime=Silent(), checkpoints=checkpoints), units)

    def claim(self) -> float:
        """Return the microseconds of claiming a record and giving it up."""
        store = FileStore(self.folder)

        def claim() -> None:
            with store.claim("bench") as claimed:
                assert claimed.incidents == []

        return cpu(lambda: [claim() for _ in range(CLAIMS)], CLAIMS) / 1000

    def interrupt(self) -> None:
        """Leave the record of a process that died in its second node."""
        command = [sys.executable, "-c", PROGRAM, f"{self.folder}/died", "die"]
        assert subprocess.run(command, check=False, env=environment()).returncode == -9

    def resume(self) -> float:
        """Return the milliseconds from starting the next process to the rollback function, where that ends it."""
        shutil.rmtree(f"{self.folder}/next", ignore_errors=True)
        shutil.copytree(f"{self.folder}/died", f"{self.folder}/next")
        os.chmod(f"{self.folder}/next", 0o700)
        return _start([sys.executable, "-c", PROGRAM, f"{self.folder}/next"])

    def in_a_node(self, measure: Callable[[hafta.Run], T], level: str = "process") -> T:
        """Return what this measures inside of a durable node."""
        sequence, took = hafta.Sequence("bench"), []

        @sequence.node
        def work(run: hafta.Run) -> Any:
            took.append(measure(run))
            return hafta.EXIT

        assert sequence.call(runtime=Silent(), checkpoints=hafta.Checkpoints(FileStore(self.folder), level=level))
        return took[0]

    def checkpoint_twice(self) -> float:
        """Set two checkpoints."""
        return self.in_a_node(lambda run: [run.checkpoint(CP.WORKING, offset=1) for _ in range(2)] and 0.0)

    def size_of_a_record(self, work: Callable[[], float]) -> int:
        """Return how many bytes a record takes that this writes; not the last one, which says that it has ended."""
        sizes, real = [], os.pwrite

        def pwrite(fd: int, data: bytes, offset: int) -> int:
            sizes.append(len(data))
            return real(fd, data, offset)

        os.pwrite = pwrite  # type: ignore[assignment]
        try:
            work()
        finally:
            os.pwrite = real
        return sizes[-2]


#: A small program of a user's own: what it had begun is rolled back, and there this measurement ends.
PROGRAM = """
import os, sys
from enum import IntEnum
import hafta
from hafta.policies import FOREVER, Attempts
from hafta.stores import FileStore

class CP(IntEnum):
    MOVED = 1

ingest = hafta.Sequence("ingest")

@ingest.node(durable=True)
def take(run):
    run.checkpoint(CP.MOVED, path="/incoming/a")
    return work

@ingest.node
def work(run):
    run.checkpoint(CP.MOVED, offset=7)
    os.kill(os.getpid(), 9)

@work.rollback
def undo(run, checkpoint):
    assert checkpoint == CP.MOVED and run.state == {"offset": 7}
    os._exit(0)

ingest.call(checkpoints=hafta.Checkpoints(FileStore(sys.argv[1])))
"""


def _peers_python() -> str:
    """Return the interpreter of an environment with DBOS and TaskFlow, made when it is missing."""
    folder = f"{ROOT}/.venv-durable-peers"
    if not os.path.exists(f"{folder}/.stamp"):
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        packages = ("dbos", "taskflow[database]")
        subprocess.run([f"{folder}/bin/python", "-m", "pip", "install", "--quiet", *packages], check=True)
        open(f"{folder}/.stamp", "w").close()
    return f"{folder}/bin/python"


def _start(command: list[str]) -> float:
    before = time.monotonic()
    subprocess.run(command, check=True, env=environment(), stderr=subprocess.DEVNULL)
    return (time.monotonic() - before) * 1000


def _on_a_disk() -> str | None:
    """Return a folder that is not in memory, if /tmp is."""
    return ROOT if _is_in_memory(tempfile.gettempdir()) else None


def _is_in_memory(path: str) -> bool:
    with open("/proc/mounts", encoding="utf-8") as mounts:
        kinds = {line.split()[1]: line.split()[2] for line in mounts}
    while path not in kinds:
        path = os.path.dirname(path)
    return kinds[path] == "tmpfs"
