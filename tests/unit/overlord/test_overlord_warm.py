"""A warm service under the embedded overlord: workers are replaced below it, and it sees only the parent."""

import os
import signal

import pytest
from overlord_harness import ROOT, is_alive, wait_until

PROGRAM = """
import os, sys
sys.path.insert(0, {root!r})
import hafta, hafta.service

feed = hafta.Sequence("feed")

@feed.node
def work(run):
    with open({file!r}, "a") as file:
        file.write(f"{{os.getpid()}}\\n")
    run.sleep(600)

sys.exit(hafta.service.run(feed))
"""


@pytest.fixture
def warm(place):
    """An overlord with a warm service, its parent, and what waits for the worker number N."""
    text = PROGRAM.format(root=ROOT, file=place.file("workers"))
    command = place.script("feed.py", text).replace("-SE", "")
    lines = ("Type=notify", "Restart=always", "RestartSec=0", "WatchdogSec=5", "KillMode=mixed")
    overlord = place.up("feed", command, *lines, "Environment=HAFTA_WARM=1 HAFTA_DEADLINE=0.2 HAFTA_STANDBY=0")

    def worker(number):
        return int(wait_until(lambda: place.read("workers").split()[number - 1 : number])[0])

    return overlord, worker


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_is_replaced_and_the_overlord_restarts_nothing(warm, signum):
    overlord, worker = warm
    for number in (1, 2):
        os.kill(worker(number), signum)
        assert worker(number + 1) != worker(number)
    assert overlord.pids("feed.service")[1:] == []
    overlord.wait_for(r"Worker \d+ of service feed .+ replaces it", 2)
    last = worker(3)
    assert overlord.stop() == 0
    assert not is_alive(last)


def test_the_parent_s_death_takes_all_of_it_and_the_overlord_starts_it_again(warm):
    overlord, worker = warm
    first = worker(1)
    os.kill(overlord.pids("feed.service")[0], signal.SIGKILL)
    second = worker(2)
    assert not is_alive(first)
    assert len(overlord.pids("feed.service")) == 2
    assert overlord.stop() == 0
    assert not is_alive(second)
