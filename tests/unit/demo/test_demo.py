"""`hafta demo`: all that it explains is seen, explained once, and counted; nothing is left behind."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
from processes import PATIENCE

from hafta.demo.faults import FAULTS
from hafta.demo.lessons import LESSONS, Lessons
from hafta.journal.durable_events import Resumed
from hafta.journal.events import RolledBack
from hafta.journal.overlord_events import UnitExited, UnitHung, UnitReady, UnitRestarting

ROOT = Path(__file__).parents[3]
SERVER, CLIENT = "hafta-server.service", "hafta-client.service"
#: Each lesson, and an event whose line teaches it: when the words of an event change, the lesson follows.
TAUGHT_BY = {
    "ready": UnitReady(unit=CLIENT, pid=7, duration_usec=9),
    "rolled back": RolledBack("client", "get_work", 1, "BadData: x", 1, to_node="get_work"),
    "previous node": RolledBack("client", "get_work", 1, "x", 5, to_node="open_pipe", unwinding=True),
    "killed": UnitExited(unit=SERVER, pid=7, signal=signal.SIGKILL),
    "exited": UnitExited(unit=SERVER, pid=7, status=20),
    "resumed": Resumed("client", "get_work", 1, 0, "", 5, begun=True, stopped=False),
    "hung": UnitHung(unit=SERVER, pid=7, timeout_usec=5_000_000),
    "restarted": UnitRestarting(unit=SERVER, attempt=1, delay_usec=0),
}


@pytest.mark.parametrize("name", TAUGHT_BY)
def test_the_line_of_an_event_teaches_its_lesson_once_and_is_counted(name):
    (lesson,) = [lesson for lesson in LESSONS if lesson.name == name]
    lessons = Lessons()
    line = f"overlord     | \x1b[33mwarning:\x1b[0m {TAUGHT_BY[name].message()}"
    told = [text for _ in range(3) for text in lessons.heed(line)]
    assert [text for text in told if text == lesson.text] == [lesson.text] * bool(lesson.text)
    assert lessons.seen[name] == 3
    assert not lesson.counted or f"  {lesson.counted:<40}     3" in lessons.counts()


def test_every_lesson_has_a_line():
    assert {lesson.name for lesson in LESSONS} == {*TAUGHT_BY, "read"}


TEXTS = {lesson.text for lesson in LESSONS if lesson.text}


def environment(folder):
    measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    places = {"HOME": str(folder), "HAFTA_RUNTIME_DIR": str(folder), "HAFTA_STATE_DIR": str(folder)}
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **places, **measured}


class Demo:
    """A demonstration in another process, with its own directories, whose path is short enough for a socket."""

    def __init__(self, folder, *options):
        environ = environment(folder)
        self.end = time.monotonic() + 3 * PATIENCE
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hafta.demo", *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=environ, cwd="/",
        )  # fmt: skip
        self.lines = []

    def read_until(self, pattern):
        """Read on; fail 3 minutes after the start: on a busy machine a fault may come while its process starts."""
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if re.search(pattern, line):
                return
            assert time.monotonic() < self.end, self.lines
        raise AssertionError(self.lines)

    def stop(self, signum=signal.SIGINT):
        """Stop it; return the exit status and all that it has said."""
        self.process.send_signal(signum)
        rest, _ = self.process.communicate(timeout=PATIENCE)
        self.lines += rest.splitlines()
        return self.process.returncode

    @property
    def said(self):
        return [line.partition("| ")[2] for line in self.lines if line.startswith("demo")]


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="hd-") as path:
        yield Path(path)


@pytest.fixture
def demo(folder):
    started = []

    def start(*options):
        started.append(Demo(folder, *options))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.wait()
        each.process.stdout.close()


def test_all_faults_come_and_are_survived_and_nothing_is_left(demo, folder):
    shown = demo()
    while not set(shown.said) >= TEXTS | {fault.command for fault in FAULTS}:
        shown.read_until(r"^demo  ")
    shown.read_until("Unit hafta-server.service is ready")
    assert shown.stop() == 0
    assert {text: shown.said.count(text) for text in TEXTS} == dict.fromkeys(TEXTS, 1)
    counts = dict(re.findall(r"  (\S.*?)  +(\d+)", "\n".join(shown.said)))
    assert set(counts) == {lesson.counted for lesson in LESSONS if lesson.counted}
    assert int(counts["restarts"]) >= 4
    assert [path for path in folder.rglob("*") if not path.is_dir()] == []


def test_without_explanations_and_faults_there_is_the_job_alone(demo):
    shown = demo("--explain", "off", "--faults", "off", "--for", "6")
    assert shown.process.wait(PATIENCE) == 0
    shown.read_until("Try next")
    assert not TEXTS & set(shown.said)
    assert any("successful read" in line for line in shown.lines)


def test_a_reader_that_goes_away_ends_it(demo):
    shown = demo("--faults", "off")
    shown.read_until("successful read")
    shown.process.stdout.close()
    assert shown.process.wait(PATIENCE) == 0


def test_a_reader_that_never_was_there_ends_it_too(folder):
    ours, theirs = os.pipe()
    os.close(ours)
    command = [sys.executable, "-m", "hafta.demo", "--faults=off"]
    process = subprocess.Popen(command, stdout=theirs, env=environment(folder), cwd="/")
    os.close(theirs)
    assert process.wait(PATIENCE) == 0


def test_an_overlord_whose_demonstration_is_killed_ends_too(demo, folder):
    shown = demo("--faults", "off")
    shown.read_until("successful read")
    assert any(not path.is_dir() for path in folder.rglob("*"))
    shown.process.kill()
    end = time.monotonic() + PATIENCE
    while any(not path.is_dir() for path in folder.rglob("*")) and time.monotonic() < end:
        time.sleep(0.05)
    assert [path for path in folder.rglob("*") if not path.is_dir()] == []


def test_a_wrong_option_is_one_line_and_what_to_do(demo):
    shown = demo("--explain", "perhaps")
    assert shown.process.wait(PATIENCE) == 2
    assert shown.process.stdout.read().splitlines() == [
        "hafta: error: --explain: 'perhaps' is not on or off",
        "hafta: use on or off; meaning: say what is seen, the first time (default: on)",
    ]


def test_on_a_terminal_it_looks_as_the_overlord_alone_does(folder):
    ours, theirs = os.openpty()
    environ = {**environment(folder), "TERM": "xterm"}
    command = [sys.executable, "-m", "hafta.demo", "--faults=off", "--for=6"]
    process = subprocess.Popen(command, stdout=theirs, env=environ, cwd="/")
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the end of a terminal
        while data := os.read(ours, 65536):
            shown += data
    os.close(ours)
    assert process.wait(PATIENCE) == 0
    assert b"\x1b[1mdemo         | A server writes" in shown
    assert re.search(rb"\x1b\[\d+mhafta-client \|\x1b\[0m 1 successful read", shown)
    assert b"\r\r\n" not in shown
