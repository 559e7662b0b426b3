"""Cut points: where a crash test ends a process, and what it leaves.

A process is ended before and after every write of the store, so before and after every checkpoint and transition, and
wherever the sequence sleeps, waits, says something or calls `run.progress()`: with that, a program sets its own cut
points in the middle of a node.
"""

from __future__ import annotations

import sys

from hafta.drivers.run import Run
from hafta.durable import codec
from hafta.engine.machine import Phase
from hafta.errors import StoreError
from hafta.frozen import Frozen
from hafta.stores.wrapping import WrappingClaim, WrappingStore
from hafta.testing.runtime import FakeRuntime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from hafta.durable.position import SequencePosition
    from hafta.stores.protocol import Claim, Store
    from hafta.testing.steps import Step

_CHECKPOINT = Run.checkpoint.__code__


class Died(BaseException):
    """The process is gone: what a kill is within this process. Nothing that it does from here on reaches the store."""


class Stopped(KeyboardInterrupt):
    """Somebody asks the process to stop. What it records from here on counts."""


class Point(Frozen):
    """A cut point."""

    number: int  # from 1, in this process
    what: str
    alike: str  # what points of two processes have in common if they are the same one: all but what is counted

    def __str__(self) -> str:
        return f"cut {self.number}, {self.what}"


class Cutter:
    """Counts the cut points of one process, and ends it at number `at`, or at the one that is `alike`.

    `die` raises Died, or kills the process; without it the process is asked to stop.
    """

    def __init__(
        self, at: int | None = None, alike: str | None = None, *, die: Callable[[Point], NoReturn] | None
    ) -> None:
        self.points: list[Point] = []
        self.cut: Point | None = None
        self._at = at
        self._alike = alike
        self._die = die

    @property
    def is_dead(self) -> bool:
        """Whether the process is gone, so that nothing that it does counts."""
        return self.cut is not None and self._die is not None

    def point(self, what: str, alike: str = "") -> None:
        """Pass a cut point, or end there."""
        if self.is_dead:
            raise Died
        if self.cut is not None:
            return  # it is stopping
        point = Point(len(self.points) + 1, what, alike or what)
        self.points.append(point)
        if point.number != self._at and point.alike != self._alike:
            return
        self.cut = point
        if self._die is None:
            raise Stopped
        self._die(point)


class CutRuntime(FakeRuntime):
    """A fake runtime in which every wait is a cut point. `always` is called after each step."""

    def __init__(self, cutter: Cutter, always: Callable[[], object]) -> None:
        super().__init__()
        self._cutter = cutter
        self._always = always

    def step(self, step: Step) -> None:
        """Record a policy event, and check that all is well."""
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


class CutStore(WrappingStore):
    """A store whose every write is two cut points."""

    def __init__(self, store: Store, cutter: Cutter) -> None:
        super().__init__(store)
        self.claims: list[CutClaim] = []
        self._cutter = cutter

    def claim(self, sequence: str, instance: str = "", *, power: bool = False) -> CutClaim:
        """Claim a record."""
        claim = CutClaim(self.store.claim(sequence, instance, power=power), self._cutter)
        claim.names = sequence, instance
        self.claims.append(claim)
        return claim

    def cut_power(self) -> None:
        """Lose what was not synced: all of it, as the worst of all disks does."""
        for claim in self.claims:
            with self.store.claim(*claim.names) as again:
                again.enter(claim.synced[0])
                again.write(claim.synced[1], sync=True)


class CutClaim(WrappingClaim):
    """The claim of such a store."""

    names: tuple[str, str]

    def __init__(self, claim: Claim, cutter: Cutter) -> None:
        super().__init__(claim)
        self.synced = (claim.last.frame, claim.last.body) if claim.last else (b"", b"")
        self._cutter = cutter

    def write(self, body: bytes, sync: bool = False) -> None:
        """Record the frame and `body`, passing a cut point before and after."""
        what, alike = in_words(self.frame, body), in_words(self.frame, body, counts=False)
        self._cutter.point(f"before it is recorded: {what}", f"before it is recorded: {alike}")
        self.claim.write(body, sync)
        if sync:
            self.synced = self.frame, body
        self._cutter.point(f"when it has been recorded: {what}", f"when it has been recorded: {alike}")


def in_words(frame: bytes, body: bytes, *, counts: bool = True) -> str:
    """Return what a record says; without `counts`, all but how often something has failed or died."""
    if not frame and not body:
        return "the call has ended"
    try:
        sequences = codec.position(frame, body).sequences
    except StoreError as error:
        return f"a record that cannot be understood ({error})"
    return ", inside of it ".join(_sequence(one, counts=counts) for one in sequences)


def _sequence(one: SequencePosition, *, counts: bool) -> str:
    doing = one.doing
    name = "ended" if doing.function is Phase.DONE else doing.function.name.lower()
    parts = [one.sequence, name if doing.begun else f"{name} next", f"node {one.node}"]
    if doing.then is not None:
        parts.append(f"then {repr(doing.then)[1:-1]}")
    parts += [word for word, said in (("stopped", doing.stopped), ("reruns", doing.reruns is not None)) if said]
    if doing.entries is not None:
        parts.append("entered again")
    if counts:
        counted = (("reruns", doing.reruns), ("entries", doing.entries), ("deaths", doing.deaths or None))
        parts += [f"{what} {number}" for what, number in (("attempt", one.attempt), *counted) if number is not None]
    return f"{' '.join(parts)}, checkpoint {one.checkpoint}"
