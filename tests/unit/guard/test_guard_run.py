"""The tutorial's C server under `hafta run`, in the unit that `hafta unit` prints for it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "overlord"))

from overlord_harness import Place, is_alive, wait_until

ROOT = Path(__file__).parents[3]
GOOD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
UNIT = "feed.service"


@pytest.fixture
def place():
    made = Place()
    try:
        yield made
        for overlord in made.overlords:
            overlord.destroy()
        wait_until(lambda: not made.left_over())
    finally:
        made.clear()


@pytest.fixture
def feed(place, build_classic_server):
    """The overlord with the unit as it is printed; `pipe` is what the server writes to."""
    place.pipe = f"{place.path}/pipe"
    server = build_classic_server(place.pipe, pause=1000, rate=1_000_000_000)
    words = ["--name=feed", f"--run-as={os.geteuid()}", "--interval=0.1", "--timeout=0.5", "--failures=2", "--", server]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    printed = subprocess.run(
        [sys.executable, "-m", "hafta.cli", "unit", *words], env=environ, check=True, capture_output=True, text=True
    )
    place.unit(UNIT, printed.stdout)
    overlord = place.start(UNIT)
    overlord.wait_for("Unit feed.service is ready")
    return overlord


def reads(place):
    with open(place.pipe, "rb") as pipe:
        return pipe.read(26)


def server_of(overlord, starts):
    """Return the server of this start."""
    return int(overlord.wait_for(r"Guard started classic-server as process (\d+)", starts)[starts - 1])


def test_a_hung_server_is_replaced_by_the_watchdog(place, feed):
    assert reads(place) == GOOD
    feed.wait_for("Unit feed.service is ready", 2)  # it died of its reader, which it does not handle
    hung = server_of(feed, 2)
    os.kill(hung, signal.SIGSTOP)
    feed.wait_for(rf"failed its probes 2 times in a row: process: process {hung} is stopped; its watchdog is triggered")
    feed.wait_for("Unit feed.service is ready", 3)
    assert not is_alive(hung)
    assert reads(place) == GOOD


@pytest.mark.parametrize("who", ["the server", "the guard"])
def test_whichever_is_killed_both_are_back_and_a_stop_is_clean(place, feed, who):
    server = server_of(feed, 1)
    os.kill(server if who == "the server" else feed.pids(UNIT)[0], signal.SIGKILL)
    feed.wait_for("Unit feed.service is ready", 2)
    wait_until(lambda: not is_alive(server))
    assert reads(place) == GOOD
    second = server_of(feed, 2)
    assert feed.stop() == 0
    assert "Unit feed.service is stopped" in feed.text
    assert not is_alive(second)
