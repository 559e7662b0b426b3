"""Stop, in this process: what a signal does in code, in a loop, in what Python forgets, and when all is over."""

import _thread
import asyncio
import os
import signal
import sys
import threading
import time

import pytest
from processes import wait_until

from hafta.errors import IllegalMove
from hafta.service import loops
from hafta.service.signals import STOPPING, Stop, check_thread, give_back, ignore, install, request, stop_of


@pytest.fixture
def installed(signals, monkeypatch):
    """The process is a service, until the test ends."""
    hook, before, threads = sys.unraisablehook, dict(vars(request)), _thread._count()
    install()
    yield
    ignore()
    wait_until(lambda: _thread._count() <= threads)  # one that repeats a signal would send it into the next test
    sys.unraisablehook = hook
    vars(request).update(before)


def ask():
    os.kill(os.getpid(), signal.SIGTERM)


async def wait():
    await asyncio.sleep(60)


async def ask_and_wait():
    ask()
    await wait()


async def ask_and_work():
    ask()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        pass


async def ask_and_fail():
    try:
        await ask_and_wait()
    finally:
        raise ValueError("bad data")


@pytest.mark.usefixtures("installed")
def test_the_first_signal_is_a_stop_with_status_0_and_the_next_ones_are_nothing():
    with pytest.raises(Stop) as raised:
        ask()
    assert (str(raised.value), raised.value.code, raised.value.signum) == ("SIGTERM", 0, signal.SIGTERM)
    ask()
    ignore()
    ask()


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("run", [loops.run, asyncio.run])
@pytest.mark.parametrize("body", [ask_and_wait, ask_and_work])
def test_a_loop_ends_at_once_whether_it_waits_or_works(run, body):
    began = time.monotonic()
    with pytest.raises(Stop):
        run(body())
    assert time.monotonic() - began < 30


@pytest.mark.usefixtures("installed")
def test_an_error_of_the_cancelled_task_is_raised_as_without_a_loop():
    with pytest.raises(ValueError, match="bad data"):
        loops.run(ask_and_fail())


@pytest.mark.usefixtures("installed")
def test_a_signal_before_the_loop_runs_keeps_the_task_from_beginning(monkeypatch):
    begun = []

    async def work():
        begun.append(True)

    plain = asyncio.run
    monkeypatch.setattr(asyncio, "run", lambda coroutine: (ask(), plain(coroutine))[1])
    with pytest.raises(Stop):
        loops.run(work())
    assert begun == []


@pytest.mark.usefixtures("installed")
def test_clean_up_of_a_service_that_stops_may_still_run_loops():
    async def answer():
        return 5

    with pytest.raises(Stop):
        ask()
    assert loops.run(answer()) == 5


@pytest.mark.usefixtures("installed")
def test_a_stop_that_python_forgets_comes_again():
    class Forgetful:
        def __del__(self):
            ask()

    def forget_and_wait():
        del [Forgetful()][0]
        time.sleep(60)

    with pytest.raises(Stop):
        forget_and_wait()


@pytest.mark.usefixtures("installed")
def test_other_errors_that_python_forgets_go_to_the_programs_own_hook(capsys):
    seen = []
    give_back()
    sys.unraisablehook = lambda lost: seen.append(lost.exc_value)
    install()

    class Failing:
        def __del__(self):
            raise KeyError("x")

    del [Failing()][0]
    assert [type(error) for error in seen] == [KeyError]


def test_a_forked_child_has_the_signals_as_they_were(signals):
    before = [signal.getsignal(signum) for signum in STOPPING]
    install()
    give_back()
    assert [signal.getsignal(signum) for signum in STOPPING] == before


STOP = Stop(signal.SIGINT)


@pytest.mark.parametrize(
    ("error", "stopped"),
    [
        (STOP, True),
        (ValueError(), False),
        (BaseExceptionGroup("two", [ValueError(), STOP]), True),
        (ExceptionGroup("one", [ValueError()]), False),
        (None, False),
    ],
)
def test_a_stop_is_found_also_in_a_group(error, stopped):
    assert stop_of(error) is (STOP if stopped else None)


def test_a_request_that_came_when_the_work_had_ended_counts(monkeypatch):
    monkeypatch.setattr(request, "signum", signal.SIGINT)
    assert [str(stop_of(error)) for error in (None, asyncio.CancelledError())] == ["SIGINT", "SIGINT"]


def test_a_service_runs_in_the_main_thread_alone():
    found = []

    def check():
        try:
            check_thread()
        except IllegalMove as error:
            found.append(str(error))

    thread = threading.Thread(target=check)
    thread.start()
    thread.join()
    check_thread()
    assert len(found) == 1
    assert "main thread" in found[0]
