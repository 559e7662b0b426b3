"""What a service tells its overlord, and when it feeds the watchdog: by progress, and by nothing else."""

import itertools
import os
import time
from types import SimpleNamespace

import pytest
from processes import Child, body, sequence

from hafta.service import service as service_module
from hafta.service.service import Service

RIGHT_PID = ("import os, sys, time", "import os, sys, time\nos.environ['WATCHDOG_PID'] = str(os.getpid())")


SIZE = "from hafta.settings import Setting, whole\nSIZE = Setting('size', whole, 3, 'how big', 'N')\n"
CAUGHT_UP = "run.runtime.ready('caught up')\nos._exit(9)"
TOLD = {
    "after its settings, and stopping at the end": (
        body("service.ready('as big as %d' % values.size)"), 0,
        ["READY=1", "STATUS=as big as 7", "STOPPING=1", "STATUS=stopping: its work is done"],
    ),
    "a sequence, before its first node runs": (sequence("os._exit(9)", ", settings=[SIZE]"), 9, ["READY=1"]),
    "when a node says so": (
        sequence(CAUGHT_UP, ", ready=False, settings=[SIZE]"), 9,
        ["READY=1", "STATUS=caught up; feed: node work, 0 failures in this call"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("when", TOLD)
def test_it_is_ready(when: str):
    program, status, told = TOLD[when]
    with Child(SIZE + program, "--size", "7") as child:
        assert child.finish() == (status, "", "")
        assert child.told == told


def test_a_service_with_a_wrong_setting_is_never_ready():
    with Child(body("service.ready()"), "--size", "small") as child:
        assert child.finish()[0] == 2
        assert child.told[0] == "STOPPING=1"
        assert child.told[1].startswith("STATUS=failed: --size: 'small' is not a whole number")


TRIES = "run.status('on its way')\nif run.attempt < 2: raise OSError('no')\nrun.sleep(600)"


@pytest.mark.parametrize(
    ("program", "line"),
    [
        (sequence(TRIES), "STATUS=on its way; feed: node work, 2 failed attempts, 2 failures in this call"),
        (sequence("raise OSError('no')", undo="run.sleep(600)"), "feed: rolling back node work, 1 failed attempts"),
    ],
)
def test_status_tells_the_node_its_attempts_and_the_failures(program: str, line: str):
    with Child(program) as child:
        assert line in child.wait_told(line.rsplit("; ", maxsplit=1)[-1])


RETRIED = "hafta.retried(lambda run, event: hafta.ROLL_BACK_CURRENT.after(600))(open)('/nowhere')"
FED = {
    "a sleep": body("service.ready()\nservice.sleep(600)"),
    "a wait": body("service.ready()\nfd, _ = os.pipe()\nservice.wait(fd)"),
    "a wait with a timeout": body("service.ready()\nfd, _ = os.pipe()\nservice.wait(fd, 600)"),
    "work": body("service.ready()\nwhile True: service.progress()"),
    "checkpoints": sequence("while True: run.checkpoint(1)"),
    "sequences": sequence("pass"),
    "a pause": sequence("pass", ", pause=600"),
    "a rollback": sequence("raise OSError", undo="run.sleep(600)"),
    "a delay": sequence("raise OSError", judge="hafta.ROLL_BACK_CURRENT.after(600)"),
    "a retried function": body("service.ready()\n" + RETRIED),
    "asyncio": sequence("await run.sleep(600)").replace("def work(run):", "async def work(run):"),
}  # fmt: skip


@pytest.mark.parametrize("moment", FED)
def test_the_watchdog_is_fed_by(moment: str):
    with Child(FED[moment].replace(*RIGHT_PID), WATCHDOG_USEC="100000") as child:
        child.wait_told("READY=1")
        child.wait_told("WATCHDOG=1", times=5)
        assert child.process.poll() is None


def test_it_is_fed_at_most_twice_a_period():
    program = body("service.ready()\nend = time.monotonic() + 1\nwhile time.monotonic() < end: service.progress()")
    with Child(program, WATCHDOG_USEC="200000") as child:
        start = time.monotonic()
        assert child.finish()[0] == 0
        periods = (time.monotonic() - start) / 0.2
        pings = child.told.count("WATCHDOG=1")
    assert 2 <= pings <= 1 + 2 * periods


@pytest.mark.parametrize("step", [0.17, 0.3, 0.4999])
def test_two_pings_lie_at_most_half_a_period_and_one_slice_apart(monkeypatch: pytest.MonkeyPatch, step: float):
    """Whatever moments progress falls on: a look at what else is owed does not put a ping off."""
    service = Service("probe", {"WATCHDOG_USEC": "5000000"})
    clock, pings = [0.0], []
    monkeypatch.setattr(service_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(service.notifier, "watchdog", lambda: pings.append(clock[0]))
    while clock[0] < 60:
        service.progress()
        clock[0] += step
    assert service.slice == 0.5
    assert max(later - earlier for earlier, later in itertools.pairwise(pings)) <= 2.5 + step + 1e-9


@pytest.mark.parametrize("hang", ["time.sleep(0.5)", "import threading; threading.Event().wait(0.5)", "os.read(r, 1)"])
def test_a_hang_is_not_fed(hang: str):
    work = f"""
service.ready()
r, w = os.pipe()
service.sleep(0.2)
service.say("hanging")
import threading
threading.Timer(0.5, os.write, (w, b"x")).start()
{hang}
service.say("over")
"""
    with Child(body(work), WATCHDOG_USEC="40000") as child:
        child.wait_line("hanging")
        assert "WATCHDOG=1" in child.drain()
        child.told.clear()
        child.wait_line("over")
        assert "WATCHDOG=1" not in child.drain()


@pytest.mark.parametrize(
    ("usec", "pid"),
    [
        ("100000", "1"), ("100000", "of its parent"),
        ("0", ""), ("-5", ""), ("1e6", ""), ("", ""), ("18446744073709551615", ""),
    ],
)  # fmt: skip
def test_a_watchdog_that_is_not_ours_or_makes_no_sense_is_not_fed(usec: str, pid: str):
    pid = pid.replace("of its parent", str(os.getpid()))
    environ = {"WATCHDOG_USEC": usec} | ({"WATCHDOG_PID": pid} if pid else {})
    with Child(body("service.ready()\nservice.sleep(0.2)"), **environ) as child:
        assert child.finish()[0] == 0
        assert "WATCHDOG=1" not in child.told


def test_programs_that_a_service_starts_do_not_talk_to_its_overlord():
    with Child(body("os.execlp('env', 'env')"), WATCHDOG_USEC="100000", WATCHDOG_PID="1") as child:
        _, out, _ = child.finish()
    assert not [line for line in out.splitlines() if line.startswith(("NOTIFY_SOCKET", "WATCHDOG"))]


def test_without_an_overlord_it_runs_the_same():
    with Child(body("service.ready()\nservice.say('done')"), NOTIFY_SOCKET="") as child:
        assert child.finish() == (0, "done\n", "")
