"""What a service gets from its overlord, and what it leaves there."""

import os
import socket
import subprocess
import sys

import pytest

from hafta.systemd.descriptors import MOST, drop, given, store


@pytest.fixture
def overlord(tmp_path):
    """A notify socket, and the environment of a service that has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)
        yield receiver, {"NOTIFY_SOCKET": str(tmp_path / "notify")}


def environment(count, names, pid=None):
    return {"LISTEN_PID": str(pid or os.getpid()), "LISTEN_FDS": str(count), "LISTEN_FDNAMES": names}


def test_what_was_passed_has_names_and_is_not_inherited():
    program = (
        "import os; from hafta.systemd.descriptors import given;"
        "names = {'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '3', 'LISTEN_FDNAMES': 'a:b'};"
        "[os.dup2(0, fd) for fd in (3, 4, 5)]; print(given(names), [os.get_inheritable(fd) for fd in (3, 4, 5)])"
    )
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert done.stdout == "[('a', 3), ('b', 4), ('', 5)] [False, False, False]\n"


@pytest.mark.parametrize(
    "environ", [{}, environment(1, "a", pid=1), environment("x", "a"), environment("", ""), environment("-1", "")]
)
def test_what_was_passed_to_somebody_else_or_not_at_all_is_nothing(environ):
    assert given(environ) == []


def test_what_is_stored_is_sent_with_its_name(overlord):
    receiver, environ = overlord
    reader, writer = os.pipe()
    assert store(environ, "state", reader, writer, watch=False)
    text, fds, _, _ = socket.recv_fds(receiver, 1000, 10)
    assert text == b"FDSTORE=1\nFDNAME=state\nFDPOLL=0"
    os.write(fds[1], b"x")
    assert os.read(reader, 10) == b"x"
    for fd in (reader, writer, *fds):
        os.close(fd)


def test_what_is_dropped_is_named(overlord):
    receiver, environ = overlord
    assert drop(environ, "state")
    assert receiver.recv(1000) == b"FDSTOREREMOVE=1\nFDNAME=state"


def test_without_an_overlord_nothing_is_stored_and_a_full_queue_is_not_waited_for(overlord):
    _, environ = overlord
    assert not store({}, "a", 0)
    sent = 0
    while store(environ, "a", 0):
        sent += 1
        assert sent < 100_000
    assert sent > 0


@pytest.mark.parametrize("name", ["", "a:b", "a\n", "\u00e4", "x" * 256])
def test_a_name_that_no_descriptor_can_have_is_refused(overlord, name):
    with pytest.raises(ValueError, match="is not a name"):
        store(overlord[1], name, 0)


def test_too_many_at_once_are_refused(overlord):
    with pytest.raises(ValueError, match="1 to 253"):
        store(overlord[1], "a", *([0] * (MOST + 1)))
    with pytest.raises(ValueError, match="1 to 253"):
        store(overlord[1], "a")
