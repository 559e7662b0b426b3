"""Starvation is not a hang: many busy loops on few cores cause no false kill, where the plain rule would have some.

HAFTA_STARVED says for how many seconds; `make torture` runs a minute.
"""

import os
import subprocess
import sys
import time

import pytest
from processes import Child

SECONDS = float(os.environ.get("HAFTA_STARVED", "60"))
LOOPS = 12

#: A worker with a deadline of 100 ms that works for 20 ms between two signs of progress, never waiting. Its parent
#: notes each look that finds it late: a rule without the kernel's accounts would kill it there. What it is given back
#: is at most 1 s, so a machine on which 20 ms of work take longer than that shows nothing.
PROGRAM = """
import os, sys, time
import hafta, hafta.service
from hafta.service.warm import watch

plain = watch.judge
dues = set()
def noted(due, allowed, base, now):
    if now.at >= due and due not in dues:
        dues.add(due)
        os.write(late, b".")
    return plain(due, allowed, base, now)
watch.judge = noted
late = os.open(os.environ["LATE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

feed = hafta.Sequence("feed")

@feed.node
def work(run):
    print(f"work {os.getpid()}", flush=True)
    while True:
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass
        run.progress()

sys.exit(hafta.service.run(feed, warm=True, deadline=0.1))
"""


@pytest.mark.timeout(SECONDS + 600)
def test_busy_loops_cause_no_false_kill(tmp_path):
    late = tmp_path / "late"
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(LOOPS)]
    try:
        with Child(PROGRAM, LATE=str(late)) as child:
            child.wait_line("work ")
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                time.sleep(0.5)
                child.drain()
            assert not [line for line in child.told if "replaced" in line]
            assert child.stop()[0] == 0
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    print(f"late without being hung: {late.stat().st_size} times in {SECONDS:g} s")
    assert late.stat().st_size > 0, "the machine was never busy: this run shows nothing"
