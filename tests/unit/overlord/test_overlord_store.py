"""What a service stores with the overlord (FDSTORE=1) is there at its next start, and only as long as it shall be."""

import os
import signal
import socket
import textwrap
import time
from contextlib import suppress

import pytest
from overlord_harness import NOTIFY, ROOT, wait_until

from hafta.overlord.closing import discard
from hafta.overlord.store import Stores
from hafta.process.loop import Loop

#: A service that counts its lives in a memfd that it leaves with the overlord.
COUNTING = """
    import os, signal, sys, time
    sys.path.insert(0, "{root}")
    from hafta.systemd.descriptors import given, store
    names = dict(given(os.environ))
    fd = names.get("count", -1)
    if fd < 0:
        fd = os.memfd_create("count")
        store(os.environ, "count", fd)
    lives = int(os.pread(fd, 10, 0) or b"0") + 1
    os.pwrite(fd, str(lives).encode(), 0)
    with open("{place}/lives", "a") as file:
        print(lives, os.environ.get("LISTEN_FDS", "0"), os.environ.get("LISTEN_FDNAMES", "-"), file=file, flush=True)
    {end}
"""


def counting(place, end="time.sleep(1000)"):
    return place.script("counting.py", textwrap.dedent(COUNTING).format(root=ROOT, place=place.path, end=end))


def test_what_is_stored_survives_a_crash_and_comes_behind_the_sockets(place):
    place.service(
        "x", counting(place), "FileDescriptorStoreMax=2", "Restart=always", "RestartSec=0", "Sockets=x.socket"
    )
    place.unit("x.socket", f"[Socket]\nListenStream={place.file('x')}\n")
    overlord = place.start("x.service")
    for life in (1, 2, 3):
        wait_until(lambda life=life: len(place.read("lives").splitlines()) == life)
        os.kill(overlord.main("x.service", life), signal.SIGKILL)
    wait_until(lambda: len(place.read("lives").splitlines()) == 4)
    assert place.read("lives").splitlines() == ["1 1 x.socket"] + [f"{life} 2 x.socket:count" for life in (2, 3, 4)]


def test_what_is_stored_is_dropped_when_the_unit_rests_for_good(place):
    place.service("x", counting(place, "pass"), "FileDescriptorStoreMax=2", "Type=oneshot")
    place.service("y", "/bin/sleep 1000")
    place.unit("x.socket", f"[Socket]\nListenDatagram={place.file('x')}\nFlushPending=yes\n")
    overlord = place.start("x.socket", "y.service", until="x.socket listens")
    for life in (1, 2):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", place.file("x"))
        overlord.wait_for("x.service is stopped", life)
    assert [line.split()[0] for line in place.read("lives").splitlines()] == ["1", "1"]


def test_more_than_allowed_is_closed_and_said_once(place):
    script = f"""
        {NOTIFY}
        reader, writer = os.pipe()
        for _ in range(3):
            socket.send_fds(s, [b"FDSTORE=1"], [os.memfd_create("a"), os.memfd_create("b"), writer])
        os.close(writer)
        s.send(b"STATUS=done")
        os.read(reader, 1)
        s.send(b"STATUS=closed")
        import time
        time.sleep(1000)
    """
    place.service("x", place.script("x.py", textwrap.dedent(script)), "FileDescriptorStoreMax=2")
    overlord = place.start("x.service", until="keeps 2 descriptors")

    def says_closed():
        overlord.send(signal.SIGUSR1)
        time.sleep(0.05)
        return overlord.find("x.service: active.*closed")

    wait_until(says_closed)
    said = "x.service: the overlord keeps 2 descriptors and no more (FileDescriptorStoreMax=)"
    assert overlord.text.count(said) == 1


def test_a_service_that_may_not_store_never_has_a_descriptor_taken(place):
    """Closing a file may wait for its file system: so nobody can hand the overlord one."""
    script = f"""
        {NOTIFY}
        for _ in range(100):
            socket.send_fds(s, [b"FDSTORE=1"], [0, 1, 2])
        import time
        time.sleep(1000)
    """
    place.service("x", place.script("x.py", textwrap.dedent(script)), "NotifyAccess=all")
    overlord = place.start("x.service", until="x.service: the overlord keeps no file descriptors")
    before = len(os.listdir(f"/proc/{overlord.pid}/fd"))
    assert before < 30


class Kept:
    """A store with a loop."""

    def __init__(self):
        self.loop = Loop(lambda _: None, lambda _: None)
        self.notes = []
        self.stores = Stores(self.loop, self.notes.append)

    def add(self, *fds, name="a", most=100, watch=True):
        """Store copies of descriptors; return how many were left."""
        copies = [os.dup(fd) for fd in fds]
        self.stores.add("u", most, copies, name, watch=watch)
        for fd in copies:
            os.close(fd)
        return len(copies)

    @property
    def names(self):
        """The names of what is stored."""
        return [each.name for each in self.stores.of("u")]


@pytest.fixture
def kept():
    found = Kept()
    yield found
    found.stores.release("u")
    found.loop.close()


def test_the_newest_comes_first_and_what_is_there_already_is_not_stored_twice(kept):
    one, other = socket.socketpair()
    reader, writer = os.pipe()
    with one, other:
        kept.add(one.fileno(), name="one")
        kept.add(reader, writer, name="pipe")
        kept.add(other.fileno(), name="other")
        assert kept.add(one.fileno(), reader, name="again") == 0
        assert kept.names == ["other", "pipe", "pipe", "one"]
    os.close(reader), os.close(writer)


@pytest.mark.parametrize(("watch", "left"), [(True, []), (False, ["a"])])
def test_what_is_hung_up_is_dropped_unless_it_is_not_to_be_watched(kept, watch, left):
    one, other = socket.socketpair()
    kept.add(one.fileno(), watch=watch)
    one.close()
    assert kept.names == ["a"]
    other.close()
    kept.loop.set_timer(("end", ""), 0.05, lambda: None)
    kept.loop.turn()
    kept.loop.turn() if watch else None
    assert kept.names == left


def test_those_of_a_name_are_dropped_and_no_others(kept):
    fds = [os.memfd_create("x") for _ in range(3)]
    for fd, name in zip(fds, "aba", strict=True):
        kept.add(fd, name=name)
    kept.stores.remove("u", "a")
    kept.stores.remove("u", None)
    assert kept.names == ["b"]
    for fd in fds:
        os.close(fd)


def test_a_name_that_no_descriptor_can_have_is_noted_and_replaced(kept):
    fd = os.memfd_create("x")
    kept.add(fd, name="a:b")
    assert kept.names == ["stored"]
    assert len(kept.notes) == 1
    os.close(fd)


def test_closing_a_socket_that_lingers_does_not_wait():
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = socket.create_connection(listener.getsockname())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\5\0\0\0")
        client.setblocking(False)
        with suppress(BlockingIOError):
            while client.send(b"x" * 65536):
                pass
        begin = time.monotonic()
        discard(client.detach())
        assert time.monotonic() - begin < 1.0
