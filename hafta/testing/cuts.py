"""Cut points: where a crash test ends a process, and what it leaves.

A process is ended before and after every write of the store, so before and after every checkpoint and transition, and
wherever the sequence sleeps, waits, says something or calls `run.progress()`: a program sets cut points of its own, in
the middle of what a node does, with that.
"""

from __future__ import annotations

import re
import sys

from hafta.drivers.run import Run
from hafta.errors import StoreError
from hafta.record import Record
from hafta.stores import codec
from hafta.stores.around import ClaimAround, StoreAround
from hafta.testing.runtime import FakeRuntime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from hafta.drivers.probe import Step
    from hafta.stores.protocol import Claim, Store


_CHECKPOINT = Run.checkpoint.__code__


class Died(BaseException):
    """The process is gone: what a kill is within this process. Nothing that it does from here on reaches the store."""


class Point(Record):
    """A cut point."""

    number: int  # from 1, in this process
    what: str

    def __str__(self) -> str:
        return f"cut {self.number}, {self.what}"


class Cutter:
    """Counts the cut points of one process, and ends it at number `at`, or at the `same` one as an earlier process."""

    def __init__(self, at: int | None = None, same: str | None = None, *, die: Callable[[Point], NoReturn]) -> None:
        self.points: list[Point] = []
        self.dead = False
        self._at = at
        self._same = same
        self._die = die

    def point(self, what: str) -> None:
        """Pass a cut point, or die there."""
        if self.dead:
            raise Died
        self.points.append(point := Point(len(self.points) + 1, what))
        if point.number == self._at or what_it_is(what) == self._same:
            self.dead = True
            self._die(point)


def what_it_is(what: str) -> str:
    """Return what makes two cut points the same in two processes: everything but what is counted and timed."""
    return re.sub(r"(attempt|taking-up|again|unwind) \d+", r"\1", what)


class CutRuntime(FakeRuntime):
    """A fake runtime in which every wait is a cut point. `always` is called after each step."""

    def __init__(self, cutter: Cutter, always: Callable[[], object]) -> None:
        super().__init__()
        self._cutter = cutter
        self._always = always

    def step(self, step: Step) -> None:
        """Record a policy event, and look whether all is well."""
        super().step(step)
        self._always()

    def sleep(self, seconds: float) -> None:
        """Move the clock."""
        self._cutter.point(f"before a sleep of {seconds:g} s")
        super().sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Move the clock, letting other tasks run."""
        self._cutter.point(f"before a sleep of {seconds:g} s")
        await super().asleep(seconds)

    def wait(self, fd: int, timeout: float | None = None, *, write: bool = False) -> bool:
        """Look at the descriptor as it is now."""
        self._cutter.point(f"before a wait for descriptor {fd}")
        return super().wait(fd, timeout, write=write)

    async def await_fd(self, fd: int, timeout: float | None = None, *, write: bool = False) -> bool:  # noqa: ASYNC109 - as wait()
        """Wait as wait() does; in run_async(), letting other tasks run."""
        if self._has_this_loop():  # else it is a wait()
            self._cutter.point(f"before a wait for descriptor {fd}")
        return await super().await_fd(fd, timeout, write=write)

    def say(self, text: object) -> None:
        """Record a line."""
        self._cutter.point(f"before it says {text!r}")
        super().say(text)

    def progress(self) -> None:
        """Count what would have fed the watchdog."""
        if sys._getframe(1).f_code is not _CHECKPOINT:  # noqa: SLF001 - a record is a cut point already
            self._cutter.point("at its progress")
        super().progress()


class CutStore(StoreAround):
    """A store whose every write is two cut points."""

    def __init__(self, store: Store, cutter: Cutter) -> None:
        super().__init__(store)
        self.claims: list[CutClaim] = []
        self._cutter = cutter

    def claim(self, sequence: str, instance: str = "", *, durable: bool = False) -> CutClaim:
        """Claim a record."""
        claim = CutClaim(self.store.claim(sequence, instance, durable=durable), self._cutter)
        claim.names = sequence, instance
        self.claims.append(claim)
        return claim

    def cut_power(self) -> None:
        """Lose what was not synced: all of it, as the worst of all disks does."""
        for claim in self.claims:
            with self.store.claim(*claim.names) as again:
                again.enter(claim.synced[0])
                again.write(claim.synced[1], sync=True)


class CutClaim(ClaimAround):
    """The claim of such a store."""

    names: tuple[str, str]

    def __init__(self, claim: Claim, cutter: Cutter) -> None:
        super().__init__(claim)
        self.synced = (claim.last.frame, claim.last.body) if claim.last else (b"", b"")
        self._cutter = cutter

    def write(self, body: bytes, sync: bool = False) -> None:
        """Record the frame and `body`, passing a cut point before and after."""
        what = tell(self.frame, body)
        self._cutter.point(f"before it is recorded: {what}")
        self.claim.write(body, sync)
        if sync:
            self.synced = self.frame, body
        self._cutter.point(f"when it has been recorded: {what}")


def tell(frame: bytes, body: bytes) -> str:
    """Return in words what a record says."""
    if not frame and not body:
        return "the call has ended"
    try:
        levels = codec.position(frame, body).levels
    except StoreError as error:
        return f"a record that cannot be understood ({error})"
    return ", inside of it ".join(map(_level, levels))


def _level(level: Any) -> str:
    """Return one sequence's part of it."""
    return f"{level.sequence} {level.phase} node {level.node}, attempt {level.attempt}, checkpoint {level.checkpoint}"
