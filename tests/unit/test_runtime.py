"""The plain runtime: waits that end in time, and a current one that nested calls find."""

import asyncio
import os
import time

import pytest

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


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


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


def test_waiting_ends_when_there_is_something(pipe: tuple[int, int]):
    os.write(pipe[1], b"x")
    assert Runtime().wait(pipe[0]) is True
    assert Runtime().wait(pipe[1], write=True) is True


def test_a_hang_up_counts_as_ready():
    reader, writer = os.pipe()
    os.close(writer)
    assert Runtime().wait(reader) is True
    os.close(reader)


def test_a_descriptor_that_is_not_open_is_an_error():
    with pytest.raises(OSError, match="descriptor 987 is not open"):
        Runtime().wait(987)


def test_awaiting_does_the_same(pipe: tuple[int, int]):
    async def both() -> tuple[bool, bool, bool]:
        runtime = Counting()
        await runtime.asleep(0.03)
        none = await runtime.await_fd(pipe[0], 0.03)
        assert runtime.moves >= 4
        os.write(pipe[1], b"x")
        return none, await runtime.await_fd(pipe[0]), await runtime.await_fd(pipe[1], write=True)

    assert asyncio.run(both()) == (False, True, True)


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

    def broken(*_values: object, **_options: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", broken)
    Runtime().say("another")


def test_the_plain_runtime_has_nobody_to_tell():
    runtime = Runtime(quiet=True)
    assert runtime.quiet
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
