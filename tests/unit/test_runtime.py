"""The plain runtime: waits that end in time, and a current one that nested calls find."""

import asyncio
import os
import re
import time
from unittest.mock import Mock

import pytest
from processes import run_python

from hafta import runtime as world
from hafta.runtime import Runtime


class Counting(Runtime):
    """Counts progress, in slices of 10 ms."""

    slice = 0.01

    def __init__(self) -> None:
        super().__init__()
        self.moves = 0

    def progress(self) -> None:
        self.moves += 1


def test_a_sleep_is_cut_into_slices_and_lasts_as_long_as_asked():
    runtime = Counting()
    start = time.monotonic()
    runtime.sleep(0.055)
    assert time.monotonic() - start >= 0.055
    assert 2 <= runtime.moves <= 6


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_time_to_sleep_is_no_sleep(seconds: float):
    Runtime().sleep(seconds)
    asyncio.run(Runtime().asleep(seconds))


def test_waiting_ends_when_the_time_is_up_and_is_fed(pipe: tuple[int, int]):
    runtime = Counting()
    start = time.monotonic()
    assert runtime.wait(pipe[0], 0.05) is False
    assert time.monotonic() - start >= 0.05
    assert runtime.moves >= 2
    assert runtime.wait(pipe[0], 0) is False
    with pytest.raises(OSError, match="descriptor 987 is not open"):
        Runtime().wait(987)


def test_waiting_ends_when_there_is_something_and_a_hang_up_is_something(pipe: tuple[int, int]):
    os.write(pipe[1], b"x")
    assert Runtime().wait(pipe[0]) is True
    assert Runtime().wait(pipe[1], write=True) is True
    reader, writer = os.pipe()
    os.close(writer)
    assert Runtime().wait(reader) is True
    os.close(reader)


def test_awaiting_does_the_same(pipe: tuple[int, int]):
    async def both() -> tuple[bool, bool, bool]:
        runtime = Counting()
        await runtime.asleep(0.03)
        none = await runtime.await_fd(pipe[0], 0.03)
        assert runtime.moves >= 2
        os.write(pipe[1], b"x")
        return none, await runtime.await_fd(pipe[0]), await runtime.await_fd(pipe[1], write=True)

    assert asyncio.run(both()) == (False, True, True)


def test_several_tasks_may_await_one_descriptor_beside_a_reader_of_the_loop(pipe: tuple[int, int]):
    async def all_of_them() -> list[bool]:
        seen = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(pipe[0], seen.set)
        tasks = [asyncio.create_task(Runtime().await_fd(pipe[0], 30)) for _ in range(3)]
        await asyncio.sleep(0)
        os.write(pipe[1], b"x")
        woken = await asyncio.gather(*tasks)
        await asyncio.wait_for(seen.wait(), 30)
        assert loop.remove_reader(pipe[0])
        return woken

    assert asyncio.run(all_of_them()) == [True, True, True]


def test_awaiting_leaves_no_descriptor_behind(pipe: tuple[int, int], tmp_path):
    async def every_end() -> None:
        before = os.listdir("/proc/self/fd")
        assert not await Runtime().await_fd(pipe[0], 0)
        assert await Runtime().await_fd(pipe[1], write=True)
        file = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
        assert await Runtime().await_fd(file)
        os.close(file)
        cancelled = asyncio.create_task(Runtime().await_fd(pipe[0]))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        with pytest.raises(OSError, match="Bad file descriptor"):
            await Runtime().await_fd(987)
        assert os.listdir("/proc/self/fd") == before

    asyncio.run(every_end())


def test_the_current_runtime_is_the_innermost():
    mine = Runtime()
    assert world.current() is not mine
    token = world.enter(mine)
    assert world.current() is mine
    world.leave(token)
    assert world.current() is not mine


def test_saying_prints_and_a_reader_that_went_away_is_no_failure(capsys, monkeypatch):
    Runtime().say("one read")
    assert capsys.readouterr().out == "one read\n"
    monkeypatch.setattr("builtins.print", Mock(side_effect=BrokenPipeError))
    Runtime().say("another")


def test_the_plain_runtime_has_nobody_to_tell():
    runtime = Runtime()
    assert list(runtime.observers("feed")) == []
    runtime.progress()
    runtime.status("at work")
    runtime.ready("up")
    assert runtime.describers == []


def test_ending_the_process_runs_nothing_more():
    child = os.fork()
    if not child:
        try:
            Runtime().end_process(70)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 70


def test_events_of_the_plain_runtime_go_to_one_reporter_made_late(monkeypatch, caplog):
    from hafta.journal.events import Panicked

    monkeypatch.setattr(world, "_reporter", None)
    Runtime().flush()
    Runtime().report(Panicked("feed", "work", "impossible"))
    first = world.default_reporter()
    Runtime().flush()
    assert world.default_reporter() is first
    assert [record.message for record in caplog.records] == ["Panic in node work of sequence feed: impossible"]


STORM = """
import {modules}
work = hafta.Sequence("work")

@work.node(policy=Attempts(50, then=hafta.FAIL_SEQUENCE))
def node(run):
    return hafta.EXIT if run.attempt == 49 else run.fail("no")

work.call()
{last}
"""


@pytest.mark.parametrize("last", ["", "sys.exit(3)", "raise ValueError", "os.kill(os.getpid(), signal.SIGINT)"])
def test_all_that_was_counted_is_told_when_a_plain_program_ends(last):
    modules = "hafta, os, signal, sys\nfrom hafta.policies import Attempts"
    ended = run_python(STORM.format(modules=modules, last=last), check=False)
    lines = [line for line in ended.stderr.splitlines() if "rolled back node node" in line]
    assert len(lines) < 49
    assert sum(int(match[1]) if (match := re.search(r"last of (\d+) alike", line)) else 1 for line in lines) == 49


class Ticking:
    """Stands for a reporter."""

    due = float("inf")

    def __init__(self) -> None:
        self.calls = []
        self.tick = lambda: self.calls.append("tick")
        self.close = lambda: self.calls.append("close")
        self.follow = self.calls.append


def test_waits_tell_what_was_counted_and_progress_costs_nothing(monkeypatch, pipe):
    reporter = Ticking()
    monkeypatch.setattr(world, "_reporter", reporter)
    runtime = Runtime()
    runtime.progress()
    assert reporter.calls == []
    runtime.sleep(0.001)
    runtime.wait(pipe[0], 0)
    asyncio.run(runtime.asleep(0.001))
    asyncio.run(runtime.await_fd(pipe[0], 0))
    assert reporter.calls == ["tick"] * 4


def test_a_wait_ends_in_time_for_what_the_reporter_has_to_tell(monkeypatch, pipe):
    reporter = Ticking()
    reporter.tick = lambda: os.write(pipe[1], b"told")
    reporter.due = time.monotonic() + 0.01
    monkeypatch.setattr(world, "_reporter", reporter)
    assert Runtime().wait(pipe[0], 600)
    assert os.read(pipe[0], 4) == b"told"


def test_a_reporter_that_takes_the_place_of_another_lets_it_tell_what_it_owes(monkeypatch):
    first, second = Ticking(), Ticking()
    monkeypatch.setattr(world, "_reporter", first)
    assert world.use_reporter(second) is second
    assert (world.default_reporter(), first.calls, second.calls) == (second, ["close"], [first])
