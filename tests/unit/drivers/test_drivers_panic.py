"""Panic: a critical entry, then the end of the process with status 70, from wherever it comes; nothing is unwound."""

import os
import socket
import subprocess
import sys
import textwrap

import pytest

from hafta import exits
from hafta.journal.events import Panicked

PROLOGUE = """
    import atexit, sys, threading
    import hafta
    atexit.register(print, "atexit ran")
    sequence = hafta.Sequence("panicky")
"""
WAYS = {
    "node": """
        @sequence.node
        def work(run):
            try:
                run.panic("invalid checkpoint 7")
            except BaseException:
                print("caught")
            finally:
                print("finally ran")
        sequence.call()
    """,
    "rollback": """
        @sequence.node
        def work(run):
            return run.fail("no")
        @work.rollback
        def _(run, checkpoint):
            run.panic("invalid checkpoint 7")
        sequence.call()
    """,
    "verdict": """
        @sequence.node
        def work(run):
            return run.fail("invalid checkpoint 7")
        @work.rollback
        def _(run, checkpoint):
            print("rolled back")
        work.policy(lambda run, event: hafta.PANIC)
        try:
            sequence.call()
        finally:
            print("finally ran")
    """,
    "coroutine": """
        @sequence.node
        async def work(run):
            try:
                run.panic("invalid checkpoint 7")
            finally:
                print("finally ran")
        sequence.call()
    """,
    "thread": """
        @sequence.node
        def work(run):
            thread = threading.Thread(target=run.panic, args=("invalid checkpoint 7",))
            thread.start()
            thread.join()
            print("joined")
            return hafta.EXIT
        sequence.call()
    """,
    "inner": """
        inner = hafta.Sequence("panicky")
        @inner.node(name="work")
        def deep(run):
            run.panic("invalid checkpoint 7")
        @sequence.node
        def outer(run):
            run.call(inner)
        sequence.call()
    """,
    "any thread outside of a sequence": """
        def worker():
            try:
                hafta.panic("invalid checkpoint 7")
            finally:
                print("finally ran")
        thread = threading.Thread(target=worker)
        thread.start()
        thread.join()
        print("joined")
    """,
    "no descriptor left": """
        import os, resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        @sequence.node
        def work(run):
            try:
                while True: os.open("/dev/null", os.O_RDONLY)
            except OSError:
                run.panic("invalid checkpoint 7")
        sequence.call()
    """,
}


def program(body):
    return textwrap.dedent(PROLOGUE) + textwrap.dedent(body)


def run_child(code, **how):
    environ = {name: value for name, value in os.environ.items() if name not in {"JOURNAL_STREAM", "NOTIFY_SOCKET"}}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environ, check=False, **how
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_panic_says_why_and_ends_the_process_at_once(way):
    child = run_child(program(WAYS[way]))
    assert child.returncode == exits.PANIC == 70
    where = "" if "outside" in way else " in node work of sequence panicky"
    assert f"Panic{where}: invalid checkpoint 7" in child.stderr
    assert child.stdout == ""
    assert "Traceback" not in child.stderr


JOURNAL = """
    from hafta.journal.journald import JournaldSink
    from hafta.journal.reporter import Reporter
    import hafta.runtime, time
    hafta.runtime._reporter = Reporter(JournaldSink("panicky", {path!r}), time.monotonic)
"""


def test_the_critical_entry_has_left_for_the_journal_before_the_process_ends(tmp_path):
    path = str(tmp_path / "journal")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(path)
        journal.settimeout(30)
        child = run_child(program(JOURNAL.format(path=path)) + textwrap.dedent(WAYS["verdict"]))
        assert child.returncode == 70
        fields = dict(line.split("=", 1) for line in journal.recv(65536).decode().splitlines() if "=" in line)
    assert fields["PRIORITY"] == "2"
    assert fields["MESSAGE_ID"] == Panicked.MESSAGE_ID
    assert fields["MESSAGE"] == "Panic in node work of sequence panicky: invalid checkpoint 7"
    assert (fields["HAFTA_SEQUENCE"], fields["HAFTA_NODE"]) == ("panicky", "work")


BROKEN = """
    import hafta.runtime
    class Broken(hafta.runtime.Runtime):
        def report(self, event):
            raise RuntimeError("the journal is gone")
    hafta.panic("no way on", runtime=Broken())
"""


def test_a_panic_that_cannot_be_reported_is_said_on_stderr_and_ends_the_process():
    child = run_child(textwrap.dedent(BROKEN))
    assert (child.returncode, child.stdout) == (exits.PANIC, "")
    assert child.stderr == "panic: no way on (not in the journal: RuntimeError: the journal is gone)\n"
