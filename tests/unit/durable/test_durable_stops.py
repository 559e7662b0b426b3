"""A stop at any line never changes what is recorded into something that did not happen.

Each story is told once for each point at which a stop may come (stop_points.py): a process stops there, the next one
resumes, and the world outside (outside.py) judges. Here at some of the points; tests/torture does all of them.
"""

import contextlib
import contextvars
import gc
from unittest import mock

import pytest
from outside import Step, World, build
from stop_points import Points, sampled

import hafta
from hafta.drivers.call import Call
from hafta.durable.codec import position
from hafta.engine.machine import Phase
from hafta.runtime import back_to, inside
from hafta.service.signals import Stop
from hafta.stores import FileStore, MemoryStore
from hafta.testing import FakeRuntime
from hafta.testing.cuts import CutStore, Cutter, Died

SOME = 40  # of so many points one is tried here
#: Where a stop that was not recorded counts as a crash: before a call has begun, and when it has left its record.
ENDS = {"Call.__exit__", "Call._leave", "Call._cut_off", "CallRecord.close", "Sequence._call", "Sequence._call_async"}


def line():
    return World(
        "line", Step("open", durable=False), Step("work", checkpoints=2, fails=2), Step("ship", delay=1, refuse=1)
    )


def back():
    return World(
        "back", Step("first", checkpoints=1), Step("work", checkpoints=1, fails=5), Step("last", undo_fails=1, fails=1)
    )


def nested():
    inner = World("inner", Step("cut", durable=False), Step("put", checkpoints=1, fails=1), Step("check", delay=1))
    return World("outer", Step("open", durable=False), Step("load", checkpoints=1, inner=inner), Step("last"))


#: What is told, and at which cut points earlier processes died.
STORIES = {
    "line": (line, ()),
    "line resumed": (line, (9,)),
    "back": (back, ()),
    "nested": (nested, ()),
    "nested resumed": (nested, (14,)),
    "nested resumed twice": (nested, (14, 5)),
}


class Story:
    """One life of a call: processes that die, one that is stopped, and one that comes to the end."""

    def __init__(self, name, driver, store, *, keep=True):
        make, deaths = STORIES[name]
        self.world, self.store, self.asynchronous, self.keep = make(), store, driver == "asyncio", keep
        self.sequence = build(self.world, asynchronous=self.asynchronous)
        self.kept = {}
        for number in deaths:
            with pytest.raises(Died):
                self.process(CutStore(store, Cutter(number, die=_die)))
            self.world.next_process(stopped=False)

    def process(self, store):
        """Run one process."""
        self.kept = {}
        data, runtime = {"keep": self.kept, "there": set()}, FakeRuntime()
        checkpoints = hafta.Checkpoints(store, keep=self.kept)
        try:
            if self.asynchronous:
                return runtime.run_async(self.sequence.call_async(data, runtime=runtime, checkpoints=checkpoints))
            return self.sequence.call(data, runtime=runtime, checkpoints=checkpoints)
        finally:
            self.runtime = runtime

    def recorded(self):
        """Return what is on record, the outermost sequence first."""
        seen = self.store.peek(self.world.name)
        return position(seen.saved.frame, seen.saved.body).sequences if seen and seen.saved else ()

    def is_over(self):
        """Tell whether there is nothing to resume."""
        recorded = self.recorded()
        return not recorded or recorded[0].doing.function is Phase.DONE

    def stop(self, first, second=None):
        """Run a process that is stopped at a point, and once more while it leaves."""
        leave = Call.__exit__

        def leave_watched(*args):
            if first.cut is None or second.cut is not None:
                return leave(*args)
            with second.watch():
                return leave(*args)

        with mock.patch.object(Call, "__exit__", leave_watched if second else leave):
            try:
                with first.watch():
                    self.process(self.store)
            except (KeyboardInterrupt, Stop):
                assert first.cut is not None
        recorded = self.recorded()
        cut = {points.cut.co_qualname for points in (first, second) if points and points.cut}
        if recorded and not self.is_over() and recorded[-1].doing.stopped and not cut & ENDS:
            assert self.kept == recorded[0].kept

    def next_process(self):
        """Let another process come, which has nothing but the records."""
        self.store = _survives(self.store)
        self.world.next_process(stopped=any(one.doing.stopped for one in self.recorded()))

    def has_ended(self):
        """Tell whether the call came to its end, and that is on record."""
        return self.is_over() and self.world.is_done()

    def finish(self):
        """Run the next process to its end, unless the one before has come to it."""
        self.next_process()
        if not self.has_ended():
            result = self.process(self.store)
            assert result, str(result)
        assert self.world.is_done()


def _die(_point):
    raise Died


def _survives(store):
    """Return the store with its records alone, as the next process finds it."""
    if isinstance(store, FileStore):
        gc.collect()  # claims that a stop has made forgotten
        return FileStore(store.directory)
    alive = MemoryStore()
    for seen in store.snapshots():
        if seen.saved is not None:
            with alive.claim(seen.sequence, seen.instance) as claim:
                claim.enter(seen.saved.frame)
                claim.write(seen.saved.body)
    return alive


def all_points(name, driver):
    """Return the points that the process to be stopped passes."""
    for _ in range(2):  # what is loaded late is loaded the first time
        points = Points()
        Story(name, driver, MemoryStore()).stop(points)
    return points.passed


def tell(name, driver, number, second=None, store=None):
    """Tell a story that is stopped at this point, and at the second one while it leaves. Returns the latter."""
    story = Story(name, driver, MemoryStore() if store is None else store)
    stops = (KeyboardInterrupt, Stop(15))
    first = Points(number, stops[number % 2])
    again = None if second is None else Points(second or None, stops[(number + second) % 2])
    where = "before"
    try:
        story.stop(first, again)
        where = first.where
        story.finish()
    except BaseException as error:
        at = f"point {number}, {where}" + (f", and again at {again.where}" if again and again.cut else "")
        raise AssertionError(f"stopped at {at}: {error!r}") from error
    return again


pytestmark = pytest.mark.filterwarnings(  # a coroutine that a stop keeps from being awaited
    "ignore::RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def _collected():
    """Have it die here, and not in a later test, which would be blamed."""
    yield
    gc.collect()


STOPS = [(name, driver) for name in STORIES for driver in ("sync", "asyncio")]


@pytest.mark.parametrize(("name", "driver"), STOPS)
def test_a_stop_at_any_point_is_recorded_as_what_was_so(name, driver):
    numbers = sampled(all_points(name, driver))
    for number in numbers[len(name) % SOME :: SOME]:
        tell(name, driver, number)


@pytest.mark.parametrize(("name", "driver"), STOPS)
def test_a_second_stop_at_any_point_while_the_first_one_leaves_changes_nothing(name, driver):
    numbers = sampled(all_points(name, driver))
    for number in numbers[len(numbers) // 2 :: len(numbers) // 2]:
        for second in sampled(tell(name, driver, number, 0).passed)[len(name) % 12 :: 12]:
            tell(name, driver, number, second)


def test_crashes_one_after_another_at_any_cut_points_change_nothing():
    for first, second in ((a, b) for a in range(1, 28) for b in range(1, 40) if (a + b) % 5 == 3):
        story = Story("nested", "sync", MemoryStore())
        for number in (first, second):
            with contextlib.suppress(Died):
                story.process(CutStore(story.store, Cutter(number, die=_die)))
                break
            story.next_process()
            if story.has_ended():
                break
        assert story.has_ended() or story.process(story.store), (first, second)
        assert story.world.is_done(), (first, second)


def test_so_it_is_with_files(tmp_path):
    for number in sampled(all_points("nested resumed", "sync"))[::200]:
        tell("nested resumed", "sync", number, store=FileStore(str(tmp_path / str(number))))


@pytest.mark.parametrize("driver", ["sync", "asyncio"])
def test_a_stop_at_any_point_of_a_call_without_a_record_leaves_nothing_behind(driver):
    def process(points):
        world, runtime = nested(), FakeRuntime()
        world.keeps = False
        sequence, data = build(world, asynchronous=driver == "asyncio"), {"keep": {}, "there": set()}
        try:
            with points.watch():
                if driver == "sync":
                    sequence.call(data, runtime=runtime)
                else:
                    runtime.run_async(sequence.call_async(data, runtime=runtime))
        except KeyboardInterrupt:
            pass
        if points.cut is None or points.cut.co_qualname not in {*ENDS, "leave"}:
            assert (inside(), runtime.describers) == (None, []), points.where
        return points

    around = contextvars.copy_context()
    around.run(back_to, None)
    around.copy().run(process, Points())  # what is done once in a process is done now
    for number in sampled(around.copy().run(process, Points()).passed)[::8]:
        assert around.copy().run(process, Points(number)).cut is not None
