"""Crash testing: end a process at every cut point, let the next one resume, and check that all is well.

    def test_every_item_arrives_exactly_once():
        report = crash_everywhere(
            ingest,                          # the sequence, or a function that makes it of the world
            world=make_folders,              # what outlives a process, new for each story: files, a database
            data=Data,                       # what dies with a process, new for each (of the world): userdata
            invariant=each_item_is_there_once,       # (world, result), at the end of each story
            kill=True,                       # really: SIGKILL in a child process
        )
        assert report.cuts > 30

A story begins with an empty store and ends when a process has come to the end of the call. In the first story the first
process is ended at its first cut point (hafta.testing.cuts), in the second story at its second one, and so on until a
process comes to its end without. (If the end had already been recorded, the next process begins the next call, as a
service would.) With `crashes=2` the process that resumes is ended as well, at each of its cut points:
all pairs. With `times=5` each process that comes to the same point again is ended there, five in all: a crash loop.

Within this process (`kill=False`) a crash is an exception that only `finally` and `except BaseException` notice; what
these do is done. With `kill=True` it is a SIGKILL, which nothing notices; each takes some milliseconds.
"""

from __future__ import annotations

import os
import signal
import tempfile
from contextlib import contextmanager
from itertools import count

from hafta.durable import codec
from hafta.durable.checkpoints import Checkpoints
from hafta.engine.machine import Phase
from hafta.frozen import Frozen
from hafta.sequence import Sequence
from hafta.testing import child
from hafta.testing.cuts import CutRuntime, CutStore, Cutter, Died, Point, Stopped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, NoReturn

    from hafta.result import Result
    from hafta.stores.protocol import Snapshot, Store


class Violated(AssertionError):
    """The invariant does not hold, or a call did not end. It says in which story; `__cause__` is the reason."""


class Report(Frozen):
    """What a crash test did."""

    cuts: int  # stories in which processes died, each with another cut
    crashes: int  # processes that died in them
    resumes: int  # processes that resumed after that
    succeeded: int  # stories in which the call succeeded
    stops: int  # the same stories, told with processes that were asked to stop
    points: tuple[str, ...]  # the cut points of a process that is not ended

    def __str__(self) -> str:
        return f"{self.cuts} cuts, {self.crashes} crashes, {self.resumes} resumes, {self.stops} stops, 0 violations"


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
    checkpoints: Callable[[Any, Any], Checkpoints] = lambda store, _data: Checkpoints(store),
) -> Report:
    """Run the sequence, ending its process at every cut point; return how many there were. Raises Violated.

    `invariant` is asked at the end of each story, `always` after each step and each crash: they raise (assert) if all
    is not well. `store` makes the store of a story, of the world: by default a MemoryStore, with `kill` a FileStore.
    `checkpoints` makes of that store and the userdata what the call is recorded with: give one for another instance=,
    level=, on_error= or keep=. `call` is called with the sequence, the data, runtime= and checkpoints=: give another
    one for call_async. `power_cut`: a crash loses what was not synced. Without either, each story is told a second
    time with processes that are asked to stop, as by SIGTERM or Ctrl-C.
    Raises ValueError for kill=True with a power cut, or with a store that does not outlive the process.
    """
    if kill and power_cut:
        raise ValueError("a power cut is played within this process: not together with kill=True")
    stops = not kill and not power_cut
    test = _Test(
        _made(sequence), world, data, store, invariant, always, call, kill, times, power_cut, stops, checkpoints
    )
    return test.everywhere(crashes)


class _Test(Frozen):
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
    stops: bool
    checkpoints: Callable[[Any, Any], Checkpoints]

    def everywhere(self, crashes: int) -> Report:
        """Tell all stories."""
        whole = _Story(self, (), stop=False)
        whole.tell()
        stories = list(self._stories((), crashes, stop=False))
        stopped = sum(1 for _ in self._stories((), crashes, stop=True)) if self.stops else 0
        return Report(
            len(stories),
            sum(len(story.cuts) for story in stories),
            sum(story.resumes for story in stories),
            sum(bool(story.result) for story in stories),
            stopped,
            tuple(point.what for point in whole.points),
        )

    def _stories(self, cuts: tuple[int, ...], crashes: int, *, stop: bool) -> Iterator[_Story]:
        for number in count(1):
            story = _Story(self, (*cuts, number), stop=stop)
            if not story.tell():
                return
            yield story
            if crashes > 1:
                yield from self._stories((*cuts, number), crashes - 1, stop=stop)


class _Story:
    """One life of a call, over several processes, in its own world."""

    def __init__(self, test: _Test, plan: tuple[int, ...], *, stop: bool) -> None:
        self.cuts: list[Point] = []
        self.points: list[Point] = []  # of the last process
        self.resumes = 0
        self.result: Result | None = None
        self._test = test
        self._plan = plan
        self._stop = stop
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
            if not self._process(alike=self.cuts[0].alike):
                break
        if self.result is None:
            self._process()
        assert self.result is not None
        self._test.invariant(self._world, self.result)
        return True

    def _process(self, number: int | None = None, alike: str | None = None) -> bool:
        """Run one process; True if it was ended by us."""
        self.resumes += any(map(_is_interrupted, self._store.snapshots()))
        run = self._in_child if self._test.kill else self._here
        self.points, cut, self.result = run(number, alike)
        if cut is None:
            return False
        self.cuts.append(cut)
        self._test.always(self._world)
        return True

    def _here(self, number: int | None, alike: str | None) -> tuple[list[Point], Point | None, Result | None]:
        cutter = Cutter(number, alike, die=None if self._stop else _raise)
        runtime = CutRuntime(cutter, lambda: self._test.always(self._world))
        store = CutStore(self._store, cutter)
        result = None
        try:
            result = self._call(runtime, store)
        except (Exception, Died, Stopped, BaseExceptionGroup):  # a group: died in a task of a TaskGroup
            if cutter.cut is None:
                raise
        if cutter.cut is not None and self._test.power_cut:
            store.cut_power()
        return cutter.points, cutter.cut, None if cutter.cut else result

    def _in_child(self, number: int | None, alike: str | None) -> tuple[list[Point], Point | None, Result | None]:
        def work(send: Callable[[Point], None]) -> tuple[list[Point], Result]:
            def die(point: Point) -> NoReturn:
                send(point)
                os.kill(os.getpid(), signal.SIGKILL)
                raise Died  # never reached: nothing outlives that signal

            cutter = Cutter(number, alike, die=die)
            runtime = CutRuntime(cutter, lambda: self._test.always(self._world))
            return cutter.points, self._call(runtime, CutStore(self._store, cutter))

        return child.run(work)

    def _call(self, runtime: CutRuntime, store: CutStore) -> Result:
        test = self._test
        sequence, data = test.sequence(self._world), test.data(self._world)
        return test.call(sequence, data, runtime=runtime, checkpoints=test.checkpoints(store, data))

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
        ended = "asked to stop" if self._stop else "ended"
        return f"after a process was {ended} at " + ", and the next one at ".join(map(str, self.cuts))


def _is_interrupted(seen: Snapshot) -> bool:
    """Return whether the next process has something to resume."""
    if seen.saved is None:
        return False
    return codec.position(seen.saved.frame, seen.saved.body).sequences[0].doing.function is not Phase.DONE


def _raise(_point: Point) -> NoReturn:
    raise Died


def _made(sequence: Sequence | Callable[[Any], Sequence]) -> Callable[[Any], Sequence]:
    return (lambda _world: sequence) if isinstance(sequence, Sequence) else sequence
