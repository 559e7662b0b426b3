"""SIGTERM and SIGINT end a service at once, with 0, without a traceback, wherever it is."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from processes import Child, body, in_time, sequence

from hafta.service import Service, Stop, main
from hafta.service.signals import STOPPING, ignore, install
from hafta.settings import Program

STOPPER = Path(__file__).parents[2] / "torture" / "stopper.py"
ASYNC = ("def work(run):", "async def work(run):")
TASK = """
import asyncio
async def spin():
    while True: await asyncio.sleep(0)
task = asyncio.create_task(spin())
await run.sleep(600)
"""
LAST_BREATH = """
class Kept:
    def __del__(self):
        service.ready()
        time.sleep(600)
Kept()
service.sleep(600)
"""
OWN_LOOP = """
import asyncio
async def wait():
    try:
        await asyncio.sleep(600)
    finally:
        await asyncio.sleep(0)
        service.status("cleaned up")
service.ready()
asyncio.run(wait())
"""
CALLBACK = """
import weakref
class Kept: pass
kept = Kept()
seen = weakref.ref(kept, lambda _: (service.ready(), time.sleep(600)))
del kept
time.sleep(600)
"""
MOMENTS = {
    "in a __del__": body(LAST_BREATH),
    "in the callback of a weak reference": body(CALLBACK),
    "in poll": body("service.ready(); fd, _ = os.pipe(); service.wait(fd)"),
    "in sleep": body("service.ready(); service.sleep(600)"),
    "in a sleep that nobody feeds": body("service.ready(); time.sleep(600)"),
    "in a blocking read": body("service.ready(); fd, _ = os.pipe(); os.read(fd, 1)"),
    "at work": body("service.ready()\nwhile True: service.progress()"),
    "between sequences": sequence("pass", ", pause=600"),
    "sequence after sequence": sequence("pass"),
    "in a node": sequence("run.sleep(600)"),
    "in a rollback": sequence("raise OSError('no')", undo="run.sleep(600)"),
    "in a delay of its policy": sequence("raise OSError", judge="hafta.ROLL_BACK_CURRENT.after(600)"),
    "in asyncio": sequence("await run.sleep(600)").replace(*ASYNC),
    "in a task of asyncio": sequence(TASK).replace(*ASYNC),
    "in asyncio, that never waits": sequence("import asyncio\nwhile True: await asyncio.sleep(0)").replace(*ASYNC),
    "in asyncio, shielded": sequence("import asyncio\nawait asyncio.shield(asyncio.sleep(600))").replace(*ASYNC),
    "in asyncio, blocking": sequence("time.sleep(600)").replace(*ASYNC),
    "in asyncio, computing": sequence("while True: pass").replace(*ASYNC),
    "in a loop of the body": body(OWN_LOOP),
}


@pytest.mark.parametrize("signum", STOPPING)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_ends_it_with_0_within_100_ms(moment: str, signum: int):
    def attempt() -> tuple[int, float]:
        with Child(MOMENTS[moment]) as child:
            child.wait_told("READY=1")
            status, seconds = child.stop(signum)
            assert ["STOPPING=1", f"STATUS=stopping: {signal.Signals(signum).name}"] == child.drain()[-2:]
            out, err = child.process.communicate()
            assert "Traceback" not in out + err
        return status, seconds

    in_time(attempt)


@pytest.mark.parametrize("signum", STOPPING)
def test_a_signal_that_was_blocked_from_the_start_is_not_lost(signum: int):
    program = body("service.ready()\nservice.sleep(600)").replace(
        "import os, sys, time",
        "import os, signal, sys, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, {2, 15})\n"
        f"os.kill(os.getpid(), {int(signum)})",
    )
    with Child(program) as child:
        assert child.finish() == (0, "", "")
        assert "STOPPING=1" in child.told
        assert "READY=1" not in child.told


@pytest.mark.parametrize("moment", ["in sleep", "in asyncio"])
def test_signals_in_any_moment_of_start_up_end_it_without_a_traceback(moment: str):
    """Before the service is there, SIGTERM has its default, which overlords take for a clean end, too."""
    with Child(MOMENTS[moment]) as child:
        begun = time.monotonic()
        child.wait_told("READY=1")
        took = time.monotonic() - begun
    for step in range(24):
        with Child(MOMENTS[moment]) as child:
            try:
                child.process.wait(took * step / 20)
            except subprocess.TimeoutExpired:
                status, _ = child.stop()
            _, _, err = child.finish()
        assert status in {0, -signal.SIGTERM}
        assert err == ""


def test_what_else_python_forgets_is_printed_as_ever():
    with Child(body("class Kept:\n    def __del__(self): raise OSError('no')\nKept()")) as child:
        status, _, err = child.finish()
    assert status == 0
    assert err.startswith("Exception ignored in: ")
    assert err.endswith("OSError: no\n")


def test_many_signals_are_one(tmp_path):
    """As from a terminal whose overlord, too, passes the signal on."""
    clean_up = f"""
    try:
        service.ready()
        service.sleep(600)
    finally:
        time.sleep(0.05)
        open({str(tmp_path / "cleaned")!r}, "w").close()
    """
    with Child(body(clean_up.replace("\n    ", "\n"))) as child:
        child.wait_told("READY=1")
        for signum in (*STOPPING, *STOPPING):
            child.process.send_signal(signum)
        assert child.finish() == (0, "", "")
    assert (tmp_path / "cleaned").exists()


@pytest.mark.parametrize("when", ["before the end", "after the end"])
def test_a_signal_at_the_very_end_makes_no_difference(when: str):
    kill = "os.kill(os.getpid(), 15)"
    program = body(kill if when == "before the end" else "pass")
    if when == "after the end":
        program = program.replace("sys.exit(main(", "status = main(").replace(
            "body))", f"body); {kill}; sys.exit(status)"
        )
    with Child(program) as child:
        assert child.finish() == (0, "", "")


def test_signals_between_the_work_and_the_end_are_never_a_traceback():
    """A storm of them, at a service that begins and ends again and again."""
    program = body("service.ready()").replace("sys.exit(main(", "for _ in range(100): assert 0 == main(")
    program = program.replace("(0,)), body))", "(0,)), body)")
    for _ in range(10):
        with Child(program) as child:
            child.wait_told("READY=1")
            while child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
                child.drain()
                time.sleep(0.001)  # a child that does nothing but take signals never gets to its end
            assert child.finish() == (0, "", "")


def test_signals_at_random_times_end_services_of_all_kinds_with_0_and_leave_whole_records(tmp_path: Path):
    """Thousands of them: tests/torture/test_torture_kills.py."""
    seed = str(random.randrange(1 << 32))
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(STOPPER), str(tmp_path), "60", seed]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-3000:]}"


CANCELLED = """
import asyncio
async def help():
    try: await asyncio.sleep(600)
    finally: run.say("helper done")
helper = asyncio.create_task(help())
run.runtime.ready()
try:
    await asyncio.sleep(600)
except asyncio.CancelledError:
    await asyncio.sleep(0.01)
    run.say(f"cancelled, helper done: {helper.done()}")
    raise
"""
SWALLOWED = """
import asyncio
run.runtime.ready()
try: await asyncio.sleep(600)
except asyncio.CancelledError: run.say("swallowed")
"""
CALLS = "try: service.ready(); time.sleep(600)\nfinally: feed.call(runtime=service)"
CALLED = """
feed = hafta.Sequence("feed")
@feed.node
async def n(run):
    run.say("put back")
    return hafta.EXIT

def body"""
STARTS = f"""
try:
    service.ready()
    service.sleep(600)
finally:
    import subprocess
    asked = 'import signal; print(signal.getsignal(15) is signal.SIG_DFL)'
    service.say(subprocess.run([{sys.executable!r}, '-c', asked], capture_output=True, text=True).stdout.strip())
"""
#: What cleans up after a stop, and what it then says. A helper is cancelled when the task of the call has ended.
CLEANING = {
    "asyncio sees a cancelled task, as at Ctrl-C in asyncio.run(), and its helpers are still there": (
        sequence(CANCELLED, ", ready=False").replace(*ASYNC), "cancelled, helper done: False\nhelper done\n"
    ),
    "a node that swallows its cancellation delays the end only until the call ends": (
        sequence(SWALLOWED, ", ready=False").replace(*ASYNC), "swallowed\n"
    ),
    "it may make asynchronous calls": (body(CALLS).replace("\ndef body", CALLED), "put back\n"),
    "it may start programs that can be stopped": (body(STARTS), "True\n"),
}  # fmt: skip


@pytest.mark.parametrize("what", CLEANING)
def test_what_cleans_up_after_a_stop_can_work_as_ever(what: str):
    program, said = CLEANING[what]
    with Child(program) as child:
        child.wait_told("READY=1")
        child.process.terminate()
        status, out, err = child.finish()
        assert (status, out[: len(said)] if "swallows" in what else out, err) == (0, said, "")
        assert child.told[-2:] == ["STOPPING=1", "STATUS=stopping: SIGTERM"]


def test_a_service_in_a_thread_with_a_loop_runs_it_as_it_is():
    assert threading.main_thread() is threading.current_thread()
    service, seen = Service("probe", {}), []

    async def work() -> None:
        seen.append(asyncio.get_running_loop())

    thread = threading.Thread(target=lambda: service.run_async(work()))
    thread.start()
    thread.join()
    assert len(seen) == 1


@pytest.mark.usefixtures("signals")
def test_stop_is_a_quiet_end_of_the_program_wherever_it_is_caught_late():
    install()
    with pytest.raises(Stop) as caught:
        os.kill(os.getpid(), signal.SIGTERM)
    assert (caught.value.code, str(caught.value), caught.value.signum) == (0, "SIGTERM", signal.SIGTERM)
    assert not isinstance(caught.value, Exception)
    os.kill(os.getpid(), signal.SIGINT)  # it flies already
    ignore()


@pytest.mark.usefixtures("signals")
def test_a_stop_that_comes_as_soon_as_it_can_leaves_no_handler_behind(monkeypatch: pytest.MonkeyPatch):
    """Python would restore the default of a signal that has one, when it ends, and the next signal would kill."""

    def install_and_stop() -> None:
        install()
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(sys.modules["hafta.service.main"], "install", install_and_stop)
    assert main(Program("probe", "Probe.", (), (0,)), lambda service, values: pytest.fail("it began"), [], {}) == 0
    assert [signal.getsignal(signum) for signum in STOPPING] == [signal.SIG_IGN] * 2


@pytest.mark.usefixtures("signals")
def test_ignoring_leaves_the_mask_as_it_was_and_lasts():
    install()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    ignore()
    assert before == signal.pthread_sigmask(signal.SIG_BLOCK, ())
    for signum in STOPPING:
        os.kill(os.getpid(), signum)
    assert [signal.getsignal(signum) for signum in STOPPING] == [signal.SIG_IGN] * 2


@pytest.mark.usefixtures("signals")
def test_installing_raises_for_what_came_before_if_it_was_blocked():
    install()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
    with pytest.raises(Stop):
        install()
    os.kill(os.getpid(), signal.SIGTERM)  # it flies


def test_a_service_in_a_thread_is_one_error_that_says_so():
    program = body("pass").replace("import os, sys, time", "import os, sys, threading, time")
    program = program.replace("sys.exit(main(", "threading.Thread(target=lambda: main(")
    with Child(f"{program.rstrip()}.start()") as child:
        _, _, err = child.finish()
    assert err.count("Traceback") == 1
    last = "hafta.errors.IllegalMove: a service must run in the main thread: only there can signals stop it"
    assert err.splitlines()[-1] == last
