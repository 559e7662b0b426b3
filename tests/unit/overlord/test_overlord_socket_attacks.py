"""What clients and services do to sockets holds nobody up and ends nothing else."""

import os
import signal
import socket
import time
from itertools import pairwise

import pytest
from overlord_harness import NOTIFY, wait_until

TICKING = "import time\nwhile True:\n    print('tick', flush=True)\n    time.sleep(0.05)\n"

MOST = 15.0  # seconds between two ticks: a loop that waits for a client waits as long as that likes


@pytest.fixture
def ticking(place):
    """A place with a service that writes twenty lines a second, so that a delay of the overlord shows."""
    place.service("tick", place.script("tick.py", TICKING))
    return place


def gap(overlord):
    """Return the longest time between two ticks, in seconds."""
    times = [at for at, line in zip(overlord.times, overlord.lines, strict=False) if line.endswith("tick")]
    return max(after - before for before, after in pairwise(times))


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(60)
    client.connect(path)
    return client


def test_without_descriptors_connections_wait_in_the_queue_and_are_served_later(ticking):
    path = ticking.file("x")
    ticking.service("x@", "/bin/cat", "StandardInput=socket")
    ticking.unit("x.socket", f"[Socket]\nListenStream={path}\nAccept=yes\nTriggerLimitIntervalSec=0\n")
    overlord = ticking.start("x.socket", "tick")
    overlord.wait_for("tick", 3)
    used = set(map(int, os.listdir(f"/proc/{overlord.pid}/fd")))
    free = min(set(range(len(used) + 1)) - used)
    os.system(f"prlimit --pid {overlord.pid} --nofile={free}:4096")
    client = connect(path)
    overlord.wait_for("x.socket: cannot accept a connection: Too many open files")
    os.system(f"prlimit --pid {overlord.pid} --nofile=1024:4096")
    client.sendall(b"late")
    assert client.recv(10) == b"late"
    client.close()
    assert overlord.stop() == 0
    assert gap(overlord) < MOST


def test_hundreds_of_clients_that_say_nothing_delay_nobody(ticking):
    path = ticking.file("x")
    ticking.service("x@", "/bin/cat", "StandardInput=socket")
    ticking.unit("x.socket", f"[Socket]\nListenStream={path}\nAccept=yes\nMaxConnections=20\nBacklog=500\n")
    overlord = ticking.start("x.socket", "tick")
    overlord.wait_for("tick", 3)
    clients = [connect(path) for _ in range(150)]
    overlord.wait_for(r"more than 20 connections \(MaxConnections=\)")
    overlord.wait_for("tick", len(overlord.find("tick")) + 10)
    assert len(overlord.find("more than 20 connections")) == 1
    for client in clients:
        client.close()
    assert overlord.stop() == 0
    assert gap(overlord) < MOST


def test_what_a_service_does_to_its_socket_does_not_outlive_it(place):
    path = place.file("x")
    program = f"""
import os, socket, struct, time
with open("{place.file("said")}", "a") as file:
    print(os.get_blocking(3), file=file, flush=True)
server = socket.socket(fileno=3)
server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
os.set_blocking(3, False)
time.sleep(1000)
"""
    place.service("x", place.script("x.py", program), "Restart=always", "RestartSec=0")
    place.unit("x.socket", f"[Socket]\nListenStream={path}\n")
    overlord = place.start("x.socket", "x.service")
    for number in (1, 2):
        wait_until(lambda number=number: len(place.read("said").split()) == number)
        time.sleep(0.05)
        os.kill(overlord.main("x.service", number), signal.SIGKILL)
    wait_until(lambda: len(place.read("said").split()) == 3)
    assert place.read("said").split() == ["True"] * 3
    begin = time.monotonic()
    assert overlord.stop() == 0
    assert time.monotonic() - begin < 20


def test_a_flood_of_descriptors_to_store_delays_nobody_and_leaves_none(ticking):
    script = f"""
{NOTIFY}
import time
file = os.open("{ticking.file("file")}", os.O_RDWR | os.O_CREAT)
for number in range(300):
    socket.send_fds(s, [b"FDSTORE=1\\nFDNAME=%d" % (number % 7)], [file, 0, os.eventfd(0)] * 20)
    s.send(b"FDSTOREREMOVE=1\\nFDNAME=%d" % (number % 7))
s.send(b"STATUS=flooded")
time.sleep(1000)
"""
    ticking.service("x", ticking.script("x.py", script), "FileDescriptorStoreMax=40")
    overlord = ticking.start("x", "tick")
    overlord.wait_for("tick", 3)

    def flooded():
        overlord.send(signal.SIGUSR1)
        time.sleep(0.05)
        return overlord.find("x.service: active.*flooded")

    wait_until(flooded)
    wait_until(lambda: len(os.listdir(f"/proc/{overlord.pid}/fd")) < 40)  # with what was stored it would have 40 more
    assert overlord.stop() == 0
    assert gap(overlord) < MOST
