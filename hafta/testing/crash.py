"""Crash testing: end a process at every cut point, let the next one resume, and look whether all is well.

    def test_every_item_arrives_exactly_once():
        report = crash_everywhere(
            ingest,                          # the sequence, or a function that makes it of the world
            world=make_folders,              # what outlives a process, made anew for each story: files, a database
            data=Data,                       # what dies with a process, made anew (of the world) for each: userdata
            invariant=each_item_is_there_once,       # (world, result), at the end of each story
            kill=True,                       # really: SIGKILL in a child process
        )
        assert report.cuts > 30

A story begins with an empty store and ends when a process has come to the end of the call. In the first story the first
process is ended at its first cut point (hafta.testing.cuts), in the second story at its second one, and so on until a
process comes to its end without. (Where the end had been recorded already, the next process begins the call anew, as a
service would.) With `crashes=2` the process that resumes is ended as well, at each of its cut points:
all pairs. With `times=5` each process that comes to the same point again is ended there, five in all: a crash loop.

Within this process (`kill=False`) a crash is an exception that nothing but `finally` and `except BaseException` notice,
though what these do is done. With `kill=True` it is a SIGKILL, which nothing notices; each takes some milliseconds.
"""

from __future__ import annotations

import os
import signal
import tempfile
from contextlib import contextmanager
from itertools import count

from hafta.drivers.ledger import ENDED
from hafta.record import Record
from hafta.sequence import Sequence
from hafta.stores import codec
from hafta.testing import child
from hafta.testing.cuts import CutRuntime, CutStore, Cutter, Died, Point, what_it_is

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, NoReturn

    from hafta.result import Result
    from hafta.stores.protocol import Snapshot, Store


class Violated(AssertionError):
    """The invariant does not hold, or a call did not end; says in which story. `__cause__` is the reason."""


class Report(Record):
    """What a crash test did."""

    cuts: int  # stories, each with a cut of its own
    crashes: int  # processes that were ended
    resumes: int  # processes that took up a record
    succeeded: int  # stories of which the call succeeded
    points: tuple[str, ...]  # the cut points of a process that is not ended

    def __str__(self) -> str:
        return f"{self.cuts} cuts, {self.crashes} crashes, {self.resumes} resumes, 0 violations"


def crash_everywhere(
    sequence: Sequence | Callable[[Any], Sequence],
    *,
    world: Callable[[], Any] = lambda: None,
    data: Callable[[Any], Any] = lambda _world: None,
    store: Callable[[Any], Store] | None = None,
    invariant: Callable[[Any, Result], object] = lambda _world, _result: None,
    always: Callable[[Any], object] = lambda _world: None,
    call: Callable[..., Result] = Sequence.call,
    kill: bool = False,
    crashes: int = 1,
    times: int = 1,
    power_cut: bool = False,
    keep: Callable[[Any], dict[str, Any]] | dict[str, Any] | None = None,
    **durable: Any,
) -> Report:
    """Run the sequence, ending its process at every cut point; say how many there were. Raises Violated.

    `invariant` is asked at the end of each story, `always` after each step and each crash: they raise (assert) if all
    is not well. `store` makes the store of a story, of the world: by default a MemoryStore, with `kill` a FileStore.
    `keep` gives the dict of values to keep, of the userdata; of a dict, each process has a copy of its own.
    `call` is called with the sequence, the data, and runtime=, store=, keep= and the `durable` ones (instance=, level=,
    on_store_error=): give another one for call_async. `power_cut`: a crash loses what was not synced.
    Raises ValueError for kill=True with a power cut, or with a store that does not outlive the process.
    """
    if kill and power_cut:
        raise ValueError("a power cut is played within this process: not together with kill=True")
    test = _Test(_made(sequence), world, data, store, invariant, always, call, kill, times, power_cut, keep, durable)
    return test.everywhere(crashes)


class _Test(Record):
    """What crash_everywhere was given."""

    sequence: Callable[[Any], Sequence]
    world: Callable[[], Any]
    data: Callable[[Any], Any]
    store: Callable[[Any], Store] | None
    invariant: Callable[[Any, Result], object]
    always: Callable[[Any], object]
    call: Callable[..., Result]
    kill: bool
    times: int
    power_cut: bool
    keep: Callable[[Any], dict[str, Any]] | dict[str, Any] | None
    durable: dict[str, Any]

    def everywhere(self, crashes: int) -> Report:
        """Tell all stories."""
        whole = _Story(self, ())
        whole.tell()
        told = list(self._stories((), crashes))
        return Report(
            len(told),
            sum(len(story.cuts) for story in told),
            sum(story.resumes for story in told),
            sum(bool(story.result) for story in told),
            tuple(point.what for point in whole.points),
        )

    def _stories(self, cuts: tuple[int, ...], crashes: int) -> Iterator[_Story]:
        for number in count(1):
            story = _Story(self, (*cuts, number))
            if not story.tell():
                return
            yield story
            if crashes > 1:
                yield from self._stories((*cuts, number), crashes - 1)


class _Story:
    """One life of a call, over several processes, in a world of its own."""

    def __init__(self, test: _Test, plan: tuple[int, ...]) -> None:
        self.cuts: list[Point] = []
        self.points: list[Point] = []  # of the last process
        self.resumes = 0
        self.result: Result | None = None
        self._test = test
        self._plan = plan
        self._world: Any = None
        self._store: Any = None

    def tell(self) -> bool:
        """Run it to its end; False if the plan has a cut point that is not reached."""
        self._world = self._test.world()
        with self._make_store():
            try:
                return self._run()
            except Exception as error:
                raise Violated(f"{self._so_far()}: {type(error).__name__}: {error}") from error

    def _run(self) -> bool:
        for number in self._plan:
            if not self._process(number):
                return False
        for _ in range(self._test.times - 1 if self.cuts else 0):
            if not self._process(same=what_it_is(self.cuts[0].what)):
                break
        if self.result is None:
            self._process()
        assert self.result is not None
        self._test.invariant(self._world, self.result)
        return True

    def _process(self, number: int | None = None, same: str | None = None) -> bool:
        """Run one process; True if it was ended by us."""
        self.resumes += any(map(_is_interrupted, self._store.snapshots()))
        run = self._in_child if self._test.kill else self._here
        self.points, cut, self.result = run(number, same)
        if cut is None:
            return False
        self.cuts.append(cut)
        self._test.always(self._world)
        return True

    def _here(self, number: int | None, same: str | None) -> tuple[list[Point], Point | None, Result | None]:
        cutter = Cutter(number, same, die=_raise)
        runtime = CutRuntime(cutter, lambda: self._test.always(self._world))
        store = CutStore(self._store, cutter)
        result = None
        try:
            result = self._call(runtime, store)
        except (Exception, Died, BaseExceptionGroup):  # a group: died in a task of a TaskGroup
            if not cutter.dead:
                raise
        if not cutter.dead:
            return cutter.points, None, result
        if self._test.power_cut:
            store.cut_power()
        return cutter.points, cutter.points[-1], None

    def _in_child(self, number: int | None, same: str | None) -> tuple[list[Point], Point | None, Result | None]:
        def work(tell: Callable[[Point], None]) -> tuple[list[Point], Result]:
            def die(point: Point) -> NoReturn:
                tell(point)
                os.kill(os.getpid(), signal.SIGKILL)
                raise Died  # never reached: nothing outlives that signal

            cutter = Cutter(number, same, die=die)
            runtime = CutRuntime(cutter, lambda: self._test.always(self._world))
            return cutter.points, self._call(runtime, CutStore(self._store, cutter))

        return child.run(work)

    def _call(self, runtime: CutRuntime, store: CutStore) -> Result:
        test = self._test
        sequence, data = test.sequence(self._world), test.data(self._world)
        durable = dict(test.durable)
        if test.keep is not None:
            durable["keep"] = test.keep(data) if callable(test.keep) else dict(test.keep)
        return test.call(sequence, data, runtime=runtime, store=store, **durable)

    @contextmanager
    def _make_store(self) -> Iterator[None]:
        from hafta.stores import FileStore, MemoryStore

        if self._test.store is None and self._test.kill:
            with tempfile.TemporaryDirectory(prefix="hafta-crash-") as directory:
                self._store = FileStore(directory)
                yield
        else:
            self._store = MemoryStore() if self._test.store is None else self._test.store(self._world)
            if self._test.kill and isinstance(self._store, MemoryStore):
                raise ValueError("a MemoryStore dies with its process: kill=True needs a store that does not")
            yield

    def _so_far(self) -> str:
        if not self.cuts:
            return "in a process that was not ended"
        return "after a process was ended at " + ", and the next one at ".join(map(str, self.cuts))


def _is_interrupted(seen: Snapshot) -> bool:
    """Tell whether the next process has something to take up."""
    return seen.saved is not None and codec.position(seen.saved.frame, seen.saved.body).levels[0].phase != ENDED


def _raise(_point: Point) -> NoReturn:
    raise Died


def _made(sequence: Sequence | Callable[[Any], Sequence]) -> Callable[[Any], Sequence]:
    return (lambda _world: sequence) if isinstance(sequence, Sequence) else sequence
