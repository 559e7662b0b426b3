"""Telling the overlord never waits, and nothing that matters is lost."""

import os
import socket
import sys
import tempfile
import time
from types import SimpleNamespace

import pytest

from hafta.systemd import notify
from hafta.systemd.notify import RETRY, STATUS_INTERVAL, STATUS_MAX, Notifier


class Overlord:
    """The receiving end, at a path or an abstract address."""

    def __init__(self, address):
        self.address = address
        self.open()

    def open(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{self.address[1:]}" if self.address[0] == "@" else self.address)
        self.socket.setblocking(False)

    def close(self):
        self.socket.close()
        if self.address[0] == "/" and os.path.exists(self.address):
            os.unlink(self.address)

    def heard(self):
        """Return the datagrams that have arrived."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(1 << 16).decode())
            except BlockingIOError:
                return found

    def fill(self):
        """Let the queue be full."""
        other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        other.setblocking(False)
        other.connect(self.socket.getsockname())
        with other:
            while True:
                try:
                    other.send(b"x")
                except BlockingIOError:
                    return


@pytest.fixture
def clock():
    return SimpleNamespace(time=1000.0)


def now(clock):
    return lambda: clock.time


@pytest.fixture(params=["path", "abstract"])
def overlord(request):
    with tempfile.TemporaryDirectory(prefix="hn") as folder:
        overlord = Overlord(f"{folder}/notify" if request.param == "path" else f"@{folder}")
        yield overlord
        overlord.close()


@pytest.fixture
def notifier(overlord, clock):
    notifier = Notifier({"NOTIFY_SOCKET": overlord.address}, now(clock))
    yield notifier
    notifier.close()


#: What is asked of a notifier, one after the other, and the datagrams that the overlord hears.
ASKED = {
    "ready with its status": ([("ready", "waiting")], ["READY=1\nSTATUS=waiting"]),
    "each notification by itself": (
        [("ready",), ("watchdog",), ("extend_timeout", 5.5), ("status", "reading"), ("stopping",)],
        ["READY=1", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=5500000", "STATUS=reading", "STOPPING=1"],
    ),
    "the status of ready and stopping without a wait": (
        [("status", "starting"), ("ready", "up"), ("stopping", "down")],
        ["STATUS=starting", "READY=1\nSTATUS=up", "STOPPING=1\nSTATUS=down"],
    ),
    "a status as one line of clean Unicode": (
        [("ready", "a\nWATCHDOG=trigger\0b\x1b\udcff é")], ["READY=1\nSTATUS=a WATCHDOG=trigger b é"]
    ),
    "more after close": ([("ready",), ("close",), ("close",), ("stopping",)], ["READY=1", "STOPPING=1"]),
}  # fmt: skip


@pytest.mark.parametrize("what", ASKED)
def test_an_overlord_is_told(notifier, overlord, what):
    asked, heard = ASKED[what]
    for name, *words in asked:
        getattr(notifier, name)(*words)
    assert overlord.heard() == heard


def test_without_a_socket_nothing_happens_and_socket_is_not_even_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "hafta.systemd.sender", raising=False)
    notifier = Notifier({})
    notifier.ready("up")
    notifier.status("working")
    notifier.watchdog()
    notifier.extend_timeout(1)
    notifier.stopping("done")
    notifier.tick()
    notifier.close()
    assert not notifier.enabled
    assert notifier.complaint is None
    assert notifier.recovered() == 0
    assert "hafta.systemd.sender" not in sys.modules


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("notify", "'notify' is neither a path nor an abstract socket"),
        ("vsock:2:1234", "'vsock:2:1234' is neither a path nor an abstract socket"),
        ("/" + "x" * 107, f"'/{'x' * 107}' is longer than 107 bytes"),
    ],
)
def test_a_malformed_address_is_complained_of_and_never_used(address, complaint):
    notifier = Notifier({"NOTIFY_SOCKET": address})
    notifier.ready("up")
    assert notifier.complaint == complaint
    assert (notifier.enabled, notifier.dropped) == (False, 0)


@pytest.mark.parametrize("address", ["/proc/missing/notify", "@", "/", "/dev/null", "/\udcff"])
def test_an_address_that_nobody_listens_at_is_counted_and_never_raises(address, clock):
    notifier = Notifier({"NOTIFY_SOCKET": address}, now(clock))
    notifier.ready("up")
    assert notifier.enabled
    assert notifier.dropped == 1


def test_status_goes_out_at_most_once_a_second_and_the_newest_counts_and_a_ping_does_not_hurry_it(
    notifier, overlord, clock
):
    for turn in range(100):
        notifier.status(f"record {turn}")
    notifier.watchdog()
    assert overlord.heard() == ["STATUS=record 0", "WATCHDOG=1"]
    clock.time += STATUS_INTERVAL
    notifier.tick()
    assert overlord.heard() == ["STATUS=record 99"]
    notifier.tick()
    assert overlord.heard() == []


def test_the_same_status_is_not_sent_twice(notifier, overlord, clock):
    notifier.ready("up")
    clock.time += 10 * STATUS_INTERVAL
    notifier.status("up")
    assert overlord.heard() == ["READY=1\nSTATUS=up"]


@pytest.mark.parametrize(("asked", "heard"), [(("ready", "up"), "READY=1\nSTATUS=up"), (("watchdog",), "WATCHDOG=1")])
def test_what_was_not_taken_is_sent_again_a_ping_long_before_the_next_is_due(notifier, overlord, clock, asked, heard):
    overlord.fill()
    before = time.monotonic()
    getattr(notifier, asked[0])(*asked[1:])
    assert time.monotonic() - before < 20
    assert notifier.dropped == 1
    overlord.heard()
    notifier.tick()
    assert overlord.heard() == []
    clock.time += RETRY
    notifier.tick()
    assert overlord.heard() == [heard]


def test_after_trouble_the_newest_status_arrives_and_the_count_is_told_once(notifier, overlord, clock):
    overlord.fill()
    notifier.status("one")
    notifier.status("two")
    clock.time += RETRY
    notifier.status("three")
    assert notifier.dropped == 2
    assert notifier.recovered() == 0
    overlord.heard()
    clock.time += RETRY
    notifier.tick()
    assert overlord.heard() == ["STATUS=three"]
    assert notifier.recovered() == 2
    assert notifier.recovered() == 0


def test_ready_still_goes_before_stopping(notifier, overlord):
    """Of the two in one datagram systemd takes only the last."""
    overlord.fill()
    notifier.ready("up")
    overlord.heard()
    notifier.stopping("down")
    assert overlord.heard() == ["READY=1\nSTATUS=up", "STOPPING=1\nSTATUS=down"]


def test_an_overlord_that_made_its_socket_anew_is_found(notifier, overlord, clock):
    notifier.ready("up")
    overlord.close()
    notifier.status("on my own")
    clock.time += STATUS_INTERVAL
    notifier.tick()
    assert notifier.dropped >= 1
    overlord.open()
    clock.time += STATUS_INTERVAL
    notifier.tick()
    assert overlord.heard() == ["STATUS=on my own"]


def test_a_socket_that_somebody_closed_is_made_anew_and_what_has_its_number_is_left_alone(notifier, overlord, clock):
    notifier.ready()
    number = notifier._sender.socket.fileno()
    os.close(number)
    other = os.open("/dev/null", os.O_RDONLY)
    assert other == number
    notifier.watchdog()
    clock.time += RETRY
    notifier.tick()
    assert overlord.heard() == ["READY=1", "WATCHDOG=1"]
    os.fstat(other)
    os.close(other)


def test_the_longest_datagram_is_one_that_systemd_takes(notifier, overlord, clock):
    overlord.fill()
    notifier.watchdog()
    notifier.extend_timeout(10**9)
    notifier.status("\U0001f600" * (STATUS_MAX + 100))
    notifier.stopping()
    overlord.heard()
    clock.time += RETRY
    notifier.tick()
    [datagram] = overlord.heard()
    assert datagram.count("\U0001f600") == STATUS_MAX
    assert datagram.count("\n") == 3
    assert len(datagram.encode()) + len("READY=1\n") <= 4096


def test_a_tick_costs_no_look_at_the_clock_when_nothing_is_owed(notifier):
    notifier.ready()
    notifier._now = None
    notifier.tick()


def test_the_limit_of_an_address_is_the_kernels():
    with tempfile.TemporaryDirectory(prefix="hn") as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        path = f"{folder}/{'x' * (notify.ADDRESS_MAX - len(folder) - 1)}"
        sock.bind(path)
        assert Notifier({"NOTIFY_SOCKET": path}).enabled
        with pytest.raises(OSError, match="too long"):
            sock.connect(f"{path}x")
