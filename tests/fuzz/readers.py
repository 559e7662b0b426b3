"""What reads texts of others, each called with one random text: it answers or refuses in words, and soon."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import makers

from hafta.control import wire
from hafta.durable import codec
from hafta.durable.position import Position, SequencePosition
from hafta.engine.resume import RUNS
from hafta.errors import UsageError
from hafta.observe.sources import records
from hafta.overlord.lines import Splitter
from hafta.overlord.output import SIZE
from hafta.stores.file.files import FileStore
from hafta.units.envfile import read_file
from hafta.units.load import Loader
from hafta.units.roots import Roots

SLOWEST = 0.1  # seconds of CPU
LEAST = 20  # calls of each reader, and questions to an overlord, also where they take more than their time
GROWTH = 8  # MiB that the whole of it may grow by, after the first thousand texts
WARM = 1000
ROOTS = Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
Reader = Callable[[Random], object]


class Finding(Exception):
    """A reader did what it must not; the text says which one, and how to have it again."""


class Readers:
    """The readers, and a directory for what they read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = folder / "records"
        self.records.mkdir(mode=0o700)
        self.record = _a_record(self.records)
        self.all: dict[str, Reader] = {
            "unit": self.unit,
            "environment": self.environment,
            "output": self.output,
            "control": self.control,
            "record": self.record_file,
        }

    def unit(self, random: Random) -> None:
        """Load a unit."""
        name = f"u.{random.choice(('service', 'service', 'target', 'socket'))}"
        (self.folder / name).write_bytes(_as_bytes(makers.unit_text(random)))
        try:
            Loader([str(self.folder)], ROOTS).load([name])
        except UsageError as error:
            if not str(error):
                raise Finding("an error without words") from None
        finally:
            (self.folder / name).unlink()

    def environment(self, random: Random) -> None:
        """Read an environment file."""
        path = self.folder / "environment"
        path.write_bytes(_as_bytes(makers.environment_text(random)))
        with contextlib.suppress(UsageError):
            read_file(str(path), "u.service", optional=False)

    def output(self, random: Random) -> None:
        """Make lines of what a service writes, as much as is read in one turn."""
        splitter = Splitter()
        splitter.feed(makers.raw(random)[:SIZE])
        for line in (*splitter.feed(makers.raw(random)[:SIZE]), *splitter.end()):
            if not line.text.replace("\t", "").isprintable():
                raise Finding(f"raw in a line: {line.text!r}")

    def control(self, random: Random) -> None:
        """Read requests."""
        inbox = wire.Inbox()
        with contextlib.suppress(ValueError):
            inbox.add(makers.request(random))
            while (message := inbox.take()) is not None:
                wire.request(message)

    def record_file(self, random: Random) -> None:
        """Look at a record."""
        (self.records / "hafta-x.checkpoint").write_bytes(makers.damaged(random, self.record))
        for entry in records.find([str(self.records)]):
            if not entry.status:
                raise Finding("an entry without a status")


def run(folder: Path, seed: int, seconds: float) -> dict[str, int]:
    """Call the readers in turn for some seconds; return how often each was called. Raises Finding."""
    found = Readers(folder).all
    counts = dict.fromkeys(found, 0)
    end, descriptors, size = time.monotonic() + seconds, _descriptors(), 0
    for number in itertools.count():
        if time.monotonic() > end and number > LEAST:
            break
        for name, reader in found.items():
            _call(name, reader, f"{seed}:{name}:{number}")
            counts[name] += 1
        if number == WARM:
            size = _size()
    if size and _size() - size > GROWTH:
        raise Finding(f"the readers grew by {_size() - size} MiB, seed {seed}")
    if _descriptors() > descriptors:
        raise Finding(f"{_descriptors() - descriptors} descriptors were left open, seed {seed}")
    return counts


def _call(name: str, reader: Reader, seed: str) -> None:
    """Call a reader, once more and once more if it was slow: the host's other machines count as CPU, too."""
    took = math.inf
    for _ in range(3):
        began = time.process_time()
        try:
            reader(Random(seed))
        except Exception as error:
            raise Finding(f"{name}: {type(error).__name__}: {error} (again: --again {seed})") from error
        took = min(took, time.process_time() - began)
        if took <= SLOWEST:
            return
    raise Finding(f"{name}: {took:.2f} s of CPU (again: --again {seed})")


def again(folder: Path, seed: str) -> None:
    """Call one reader with the text of a finding."""
    name = seed.split(":")[1]
    _call(name, Readers(folder).all[name], seed)


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _a_record(folder: Path) -> bytes:
    one = SequencePosition("s", "", ("a", "b"), "a", RUNS)
    with FileStore(str(folder)).claim("x") as claim:
        claim.enter(codec.frame(Position((one,), time.time(), 0.0, "", os.getpid())))
        claim.write(codec.body(1, {"list": [1, 2.5, "x"], "more": {"a": None}}, claim.capacity), sync=False)
    return next(folder.glob("*.checkpoint")).read_bytes()


def _size() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
