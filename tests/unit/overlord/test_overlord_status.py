"""`hafta status` under a real overlord: every word that it has for a service, and where the sequences are."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from overlord_harness import DEADLINE, PYTHON, ROOT, wait_until

sys.path.append(str(Path(__file__).parents[1] / "observe"))
from schema_support import problems, schema

FEED = """
import os, sys, hafta, hafta.service
from hafta.service.runner import state_checkpoints
how, folder = sys.argv[1:]
feed = hafta.Sequence(how)

def judge(run, event):
    return hafta.ROLL_BACK_CURRENT if event.kind is hafta.NORMAL_FAIL else hafta.proceed(event.to or event.node)

@feed.node(policy=judge)
def work(run):
    run.checkpoint(3)
    if os.path.exists(f"{folder}/fail"):
        raise ValueError("no")
    while os.path.exists(f"{folder}/hang"):
        pass
    run.sleep(0.1)
    return work

@work.rollback
def undo(run, checkpoint):
    run.sleep(0.1)
    return work

sys.exit(hafta.service.run(feed, argv=[], checkpoints=state_checkpoints() if how == "durable" else None))
"""


@pytest.fixture
def status(place):
    """A function that runs `hafta status`: its status, what it printed, and what it said on stderr."""
    environ = {**os.environ, "PYTHONPATH": ROOT, "HAFTA_RUNTIME_DIR": place.runtime, "HAFTA_STATE_DIR": place.state}
    environ |= {"NO_COLOR": "1", "COLUMNS": "200", "XDG_RUNTIME_DIR": place.path}

    def run(*words, **more):
        command = [PYTHON, "-m", "hafta.cli", "status", *words]
        done = subprocess.run(
            command, env=environ | more, capture_output=True, text=True, timeout=DEADLINE, check=False
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    run.environ = environ
    return run


@pytest.fixture
def look(status):
    """A function that returns one service as JSON has it; the whole answer fits the schema."""

    def one(name):
        answer = json.loads(status("--json")[1])
        assert problems(answer, schema("status")) == []
        return next((each for each in answer["services"] if each["unit"] == f"{name}.service"), None)

    return one


@pytest.fixture
def fed(place):
    """An overlord with a service that has checkpoints and one that has none."""
    place.script("feed.py", FEED)
    program = f"{PYTHON} {place.file('feed.py')}"
    for how in ("durable", "plain"):
        lines = ("Type=notify", "WatchdogSec=3", "Restart=always", "RestartSec=1", f"RuntimeDirectory={how}")
        more = (f"StateDirectory={how}", "RuntimeDirectoryPreserve=restart", f"Environment=PYTHONPATH={ROOT}")
        place.service(how, f"{program} {how} {place.path}", *lines, *more)
    running = place.start("durable.service", "plain.service")
    for how in ("durable", "plain"):
        running.wait_for(rf"Unit {how}.service is ready")
    return running


@pytest.mark.parametrize("how", ["durable", "plain"])
def test_up_degraded_and_hung_with_where_its_sequence_is(place, fed, look, how):
    source = "record" if how == "durable" else "board"
    found = wait_until(lambda: (seen := look(how))["sequences"] and seen)
    [position] = found["sequences"]
    assert (found["health"], found["overlord"], found["why"]) == ("up", "embedded", [])
    assert (position["sequence"], position["node"], position["checkpoint"], position["source"]) == (
        how,
        "work",
        3,
        source,
    )
    assert position["live"]
    assert position["source_age_seconds"] < 30
    assert 0 < found["watchdog"]["left_seconds"] <= found["watchdog"]["period_seconds"] == 3.0
    assert found["main_pid"] in fed.pids(f"{how}.service")

    Path(place.file("fail")).touch()
    found = wait_until(lambda: (seen := look(how))["health"] == "degraded" and seen)
    assert found["why"][0].endswith("failures in a row at work")
    assert found["sequences"][0]["attempt"] >= 2
    Path(place.file("fail")).unlink()
    wait_until(lambda: look(how)["health"] == "up")

    Path(place.file("hang")).touch()
    found = wait_until(lambda: (seen := look(how))["health"] != "up" and seen)
    assert found["health"] in {"degraded", "hung", "down"}
    fed.wait_for(rf"Unit {how}.service: process \d+ missed its watchdog")
    Path(place.file("hang")).unlink()
    wait_until(lambda: look(how)["restarts"]["total"] == 1 and look(how)["health"] == "up")


def test_each_word_for_people_and_its_exit_status(place, status):
    place.service("broken", "/bin/sh -c 'exit 24'", "Restart=no")
    place.service("again", "/bin/false", "Restart=always", "RestartSec=60")
    place.service("slow", "/bin/sleep 600", "Type=notify", "TimeoutStartSec=600")
    place.service("fine", "/bin/sleep 600")
    running = place.start("broken.service", "again.service", "slow.service", "fine.service")
    running.wait_for(r"Unit broken.service failed")
    running.wait_for(r"Unit again.service restarts")
    code, out, err = status()
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines if not line.startswith(" ")] == [
        ["broken", "failed"], ["again", "down"], ["slow", "starting"], ["fine", "up"],
    ]  # fmt: skip
    assert "exit 24 NO_SPACE: no space is left" in lines[0]
    advice = next(line for line in lines if "→" in line)  # what the event log counts may stand above it already
    assert "→ free space" in advice
    assert "hafta ctl restart broken.service" in advice
    assert "next start in" in out
    for words, code in {("fine",): 0, ("fine.service", "slow"): 0, ("again",): 1, ("nothing",): 4}.items():
        assert status(*words)[0] == code
    assert status("nothing")[2] == "hafta: there is no unit and no sequence nothing\n"
    subprocess.run(
        [PYTHON, "-m", "hafta.cli", "ctl", "stop", "fine.service"], env=status.environ, check=True, timeout=DEADLINE
    )  # fmt: skip
    code, out, _ = status("fine")
    assert (code, out.split()[:2]) == (3, ["fine", "stopped"])


def test_a_unit_of_another_kind_and_an_alias_may_be_named(place, status):
    place.service("x", "/bin/sleep 600")
    os.symlink("x.service", f"{place.units}/also.service")
    place.unit("x.socket", f"[Socket]\nListenStream={place.file('x')}\n")
    place.start("x.socket", "also.service").wait_for("x.socket listens on")
    for name, unit in {"x.socket": "x.socket", "also": "x.service", "x": "x.service"}.items():
        answer = wait_until(lambda name=name: (done := status(name, "--json"))[0] == 0 and json.loads(done[1]))
        assert [(each["unit"], each["health"]) for each in answer["services"]] == [(unit, "up")]
    assert "x.socket" not in status()[1]


def test_a_service_that_holds_itself_back(place, look):
    place.script("crash.py", "import hafta.service, hafta, sys, os, time\n" + CRASH)
    lines = ("Type=notify", "Restart=always", "RestartSec=0", "StartLimitBurst=100", "RuntimeDirectory=crash")
    command = f"{PYTHON} {place.file('crash.py')}"
    place.service(
        "crash", command, *lines, "RuntimeDirectoryPreserve=restart", f"Environment=PYTHONPATH={ROOT}"
    )  # fmt: skip
    place.start("crash.service")
    found = wait_until(lambda: (seen := look("crash")) and seen["health"] == "held" and seen)
    assert found["held"].startswith("held back ")
    assert found["restarts"]["total"] > 5


CRASH = """
from hafta.settings import Program
sys.exit(hafta.service.main(Program("crash", "Crash.", (), (0,)), lambda service, values: os._exit(3), []))
"""


def test_a_process_that_nobody_runs_and_a_dead_one(place, status):
    place.script("feed.py", FEED)
    program = [PYTHON, place.file("feed.py"), "durable", place.path]
    environ = {**status.environ, "STATE_DIRECTORY": place.file("own"), "RUNTIME_DIRECTORY": ""}
    with subprocess.Popen(program, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        here = {"STATE_DIRECTORY": place.file("own")}
        wait_until(lambda: "durable · work" in status(**here)[1])
        code, out, _ = status("durable", **here)
        assert (code, out.splitlines()[0].split()[2:3]) == (0, ["up"])
        process.kill()
        process.wait()
    assert "durable" not in status(**here)[1]
    assert "interrupted" in status("--all", **here)[1]


class Watched:
    """`hafta status --watch` on a terminal of its own."""

    def __init__(self, status):
        self.terminal, self._theirs = pty.openpty()
        self.before = termios.tcgetattr(self._theirs)
        self.seen = b""
        command = [PYTHON, "-m", "hafta.cli", "status", "--watch", "--every", "0.2"]
        environ = {**status.environ, "TERM": "xterm", "LINES": "40"}
        self.process = subprocess.Popen(
            command, env=environ, stdin=self._theirs, stdout=self._theirs, stderr=self._theirs
        )  # fmt: skip

    def __enter__(self):
        self.wait_for_screens(3)
        return self

    def __exit__(self, *_error):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)
        os.close(self._theirs)

    def wait_for_screens(self, more):
        count, end = self.seen.count(b"q ends") + more, time.monotonic() + DEADLINE
        while self.seen.count(b"q ends") < count:
            assert time.monotonic() < end
            self._take(1)

    def end(self):
        """Return its exit status, after reading what it wrote to the end."""
        code = self.process.wait(DEADLINE)
        while self._take(0):
            pass
        return code

    def is_as_before(self):
        return self.seen.endswith(b"\x1b[?25h\x1b[?1049l") and termios.tcgetattr(self._theirs) == self.before

    def _take(self, patience):
        found = select.select([self.terminal], [], [], patience)[0]
        if found:
            self.seen += os.read(self.terminal, 65536)
        return bool(found)


def test_watching_draws_again_and_again_until_q(fed, status):
    with Watched(status) as watched:
        for keys in (b"\x1b[A", b"\x1bOq", b"\x1b", b"\x1b[1;5q", b"x"):
            os.write(watched.terminal, keys)
            watched.wait_for_screens(1)
        os.write(watched.terminal, b"\x1b[Bq")
        assert (watched.end(), watched.is_as_before()) == (0, True)
    assert b"durable" in watched.seen


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_watching_and_leaves_the_terminal_as_it_was(status, number):
    with Watched(status) as watched:
        watched.process.send_signal(number)
        assert (watched.end(), watched.is_as_before()) == (-number, True)


@pytest.mark.parametrize("words", [["--watch"], ["--watch", "--json"], ["--every", "0"]])
def test_what_cannot_be_done_is_one_line(status, words):
    code, out, err = status(*words)
    assert (code, out) == (2, "")
    assert err.startswith("hafta: error: ")
    assert "Traceback" not in err
