"""The clock hangs and dies below a guard: the guard notices both, and ends so that an overlord restarts it.

Run it with `python3 -m pytest` in this directory; it needs a C compiler.
"""

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

PATIENCE = 120.0


@pytest.fixture
def clock(tmp_path):
    """Build it; return its command, and its port."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    source, program = Path(__file__).with_name("clock.c"), tmp_path / "clock"
    command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source]
    subprocess.run(command, check=True)
    return [str(program), str(port)], port


@pytest.fixture
def guarded(clock):
    """Start it below a guard, and wait until it answers; return the guard, and the port."""
    command, port = clock
    options = ["--probe", f"http://127.0.0.1:{port}/", "--interval", "0.2", "--timeout", "3"]
    with subprocess.Popen(
        [sys.executable, "-m", "hafta.cli", "guard", *options, "--", *command], stderr=subprocess.PIPE, text=True
    ) as guard:
        while "passes its probes" not in (line := guard.stderr.readline()):
            assert line, "it has ended"
        yield guard, port
        guard.terminate()


def ask(port, path=""):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=PATIENCE) as answer:
        return answer.read().decode()


def test_it_tells_the_time_of_three_zones(guarded):
    _, port = guarded
    utc, cet, jst = (ask(port, f"zone/{zone}") for zone in range(3))
    assert len({utc, cet, jst}) == 3


def test_a_client_that_says_nothing_makes_it_hang_and_the_guard_ends_it(guarded):
    guard, port = guarded
    with socket.create_connection(("127.0.0.1", port)):
        assert guard.wait(PATIENCE) == 26
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_it_dies_of_a_zone_that_is_not_there_and_the_guard_dies_in_the_same_way(guarded):
    guard, port = guarded
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /zone/99999999 HTTP/1.0\r\n\r\n")
        assert guard.wait(PATIENCE) == -signal.SIGSEGV
