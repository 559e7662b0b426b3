"""The plain runtime: waits that end in time and are cut into slices, in each of which progress is noted."""

import asyncio
import errno
import io
import os
import subprocess
import sys
import time

import pytest

import hafta
from hafta import runtime as world
from hafta.runtime import Runtime


class Fed(Runtime):
    """Counts what would feed a watchdog, and cuts waits into short slices."""

    slice = 0.01

    def __init__(self):
        super().__init__()
        self.progresses, self.waits = 0, []

    def progress(self):
        self.progresses += 1

    def waiting(self, seconds, *, alone=True):
        self.waits.append(seconds)

    def was_fed_all_along(self):
        """Tell whether no wait was longer than a slice, and each one fed. A late machine may sleep all of it in one."""
        return 0 < len(self.waits) <= self.progresses and max(self.waits) <= self.slice


def wait(runtime, asynchronous, fd, timeout=None, **how):
    if asynchronous:
        return asyncio.run(runtime.await_fd(fd, timeout, **how))
    return runtime.wait(fd, timeout, **how)


both = pytest.mark.parametrize("asynchronous", [False, True])


def sleep(runtime, asynchronous, seconds):
    if asynchronous:
        asyncio.run(runtime.asleep(seconds))
    else:
        runtime.sleep(seconds)


@both
def test_a_sleep_ends_in_time_and_is_fed_all_along_even_if_it_takes_no_time(asynchronous):
    runtime, began = Fed(), time.monotonic()
    sleep(runtime, asynchronous, 0.05)
    assert time.monotonic() - began >= 0.05
    assert runtime.was_fed_all_along()
    for fed, seconds in enumerate((0, -1), runtime.progresses + 1):
        sleep(runtime, asynchronous, seconds)
        assert runtime.progresses == fed


def test_a_sleep_of_no_time_lets_other_tasks_run():
    ran = []

    async def other():
        ran.append("other")

    async def main():
        task = asyncio.create_task(other())
        await Runtime().asleep(0)
        ran.append("slept")
        await task

    asyncio.run(main())
    assert ran == ["other", "slept"]


@both
def test_a_wait_ends_in_time_and_is_fed_all_along(asynchronous, pipe):
    runtime, began = Fed(), time.monotonic()
    assert wait(runtime, asynchronous, pipe[0], 0.05) is False
    assert time.monotonic() - began >= 0.05
    assert runtime.was_fed_all_along()


@both
@pytest.mark.parametrize(("timeout", "for_ever"), [(60, None), (0, 0)])
def test_a_wait_tells_at_once_whether_it_is_ready(asynchronous, pipe, timeout, for_ever):
    reader, writer = pipe
    assert wait(Runtime(), asynchronous, writer, timeout, write=True) is True
    assert timeout or wait(Runtime(), asynchronous, reader, 0) is False
    os.write(writer, b"x")
    assert wait(Runtime(), asynchronous, reader, for_ever) is True


@both
def test_a_wait_without_a_timeout_outlasts_its_slices(asynchronous, pipe):
    reader, writer = pipe
    runtime = Fed()

    def waiting(seconds, **_):
        runtime.waits.append(seconds)
        if len(runtime.waits) == 3:
            os.write(writer, b"x")

    runtime.waiting = waiting
    assert wait(runtime, asynchronous, reader) is True
    assert len(runtime.waits) == 3
    assert runtime.was_fed_all_along()


@both
def test_a_peer_that_hangs_up_ends_the_wait(asynchronous):
    reader, writer = os.pipe()
    os.close(writer)
    assert wait(Runtime(), asynchronous, reader, 60) is True
    os.close(reader)


@both
def test_a_regular_file_is_always_ready(asynchronous, tmp_path):
    with (tmp_path / "file").open("wb") as file:
        assert wait(Runtime(), asynchronous, file.fileno(), 60, write=True) is True


@both
@pytest.mark.parametrize("closed", [-1, 1_000_000])
def test_waiting_for_a_descriptor_that_is_not_open_raises(asynchronous, closed):
    with pytest.raises(OSError, match=rf"^\[Errno {errno.EBADF}\] "):
        wait(Runtime(), asynchronous, closed, 0)


def test_a_plain_runtime_speaks_on_stdout_and_has_nobody_to_notify(capsys):
    runtime = Runtime()
    runtime.say("1 successful read(s)")
    runtime.status("reading")
    runtime.ready("up")
    assert capsys.readouterr().out == "1 successful read(s)\n"


@pytest.mark.parametrize(
    ("encoding", "text", "said"),
    [
        ("utf-8", "3 files: \u2713", "3 files: \u2713"),
        ("latin-1", "3 files: \u2713", "3 files: \\u2713"),
        ("ascii", "caf\u00e9", "caf\\xe9"),
        ("utf-8", "copied \udcff.txt", "copied \\udcff.txt"),
    ],
)
def test_what_the_terminal_cannot_show_is_no_failure_of_the_work(monkeypatch, encoding, text, said):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    Runtime().say(text)
    assert sys.stdout.buffer.getvalue() == f"{said}\n".encode(encoding)


@pytest.mark.parametrize("stdout", [None, io.TextIOWrapper(io.BytesIO())])
def test_a_stdout_that_is_closed_is_no_failure_of_the_work(monkeypatch, stdout):
    if stdout is not None:
        stdout.close()
    monkeypatch.setattr(sys, "stdout", stdout)
    Runtime().say("1 successful read(s)")


LAST = """
import os, resource, hafta
sequence = hafta.Sequence("greedy")

@sequence.node
def work(run):
    while True: os.open("/dev/null", os.O_RDONLY)

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
print(sequence.call())
"""


def test_a_node_that_takes_the_last_descriptor_fails_as_any_other_and_each_rollback_is_told():
    child = subprocess.run([sys.executable, "-c", LAST], capture_output=True, text=True, timeout=60, check=False)
    too_many = "[Errno 24] Too many open files: '/dev/null'"
    assert (child.returncode, child.stdout) == (0, f"greedy failed at node work, attempt 5: {too_many}\n")
    assert child.stderr.count("Sequence greedy rolled back node work") == 5
    assert child.stderr.count(too_many) == 6


def test_the_current_runtime_is_that_of_the_sequence_inside_of_one_and_a_plain_one_outside():
    sequence, runtime, seen = hafta.Sequence("inside"), Runtime(), []

    @sequence.node
    def work(run):
        seen.append(world.current())
        return run.data

    assert type(world.current()) is Runtime
    assert world.current() is not world.current()
    assert sequence.call(hafta.EXIT, runtime=runtime)
    with pytest.raises(hafta.IllegalMove):
        sequence.call("nowhere", runtime=runtime)  # broken off: the runtime is left as it was
    assert seen == [runtime] * 2
    assert world.current() is not runtime
    assert runtime.describers == []
