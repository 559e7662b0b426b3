"""sdnotify sends; where it is not installed, the stand-in sends the same."""

import errno
import importlib
import os
import socket
import sys
import tempfile

import pytest

import hafta.systemd.sender

STATES = ["READY=1", "READY=1\nSTATUS=naïve ✓", "STATUS="]


@pytest.fixture
def listener():
    with tempfile.TemporaryDirectory(prefix="hs") as folder:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(f"{folder}/notify")
        sock.setblocking(False)
        yield sock
        sock.close()


@pytest.fixture(params=["sdnotify", "stand-in"])
def module(request, monkeypatch):
    """hafta.systemd.sender as it is with and without sdnotify."""
    if request.param == "sdnotify":
        pytest.importorskip("sdnotify")
    else:
        monkeypatch.setitem(sys.modules, "sdnotify", None)
    yield importlib.reload(hafta.systemd.sender)
    monkeypatch.undo()
    importlib.reload(hafta.systemd.sender)


def datagrams(module, listener):
    sender = module.Sender(listener.getsockname())
    for state in STATES:
        sender.send(state)
    sender.discard(None)
    return [listener.recv(1000) for _ in STATES]


def test_what_arrives_is_utf8(module, listener):
    assert datagrams(module, listener) == [state.encode() for state in STATES]


def test_sdnotify_and_its_stand_in_have_one_interface(module):
    of_sdnotify = module.SystemdNotifier.__module__ == "sdnotify"
    assert of_sdnotify is (sys.modules.get("sdnotify") is not None)
    assert issubclass(module.Sender, module.SystemdNotifier)
    assert callable(module.SystemdNotifier.notify)


def test_sdnotifys_own_notifier_sends_the_same(listener, monkeypatch):
    sdnotify = pytest.importorskip("sdnotify")
    monkeypatch.setenv("NOTIFY_SOCKET", listener.getsockname())
    theirs = sdnotify.SystemdNotifier(debug=True)
    ours = hafta.systemd.sender.Sender(listener.getsockname())
    for sender in (theirs, ours):
        sender.notify("READY=1\nSTATUS=up")
        sender.socket.close()
    assert listener.recv(100) == listener.recv(100)


def test_the_socket_does_not_block_and_is_not_inherited(module, listener):
    sender = module.Sender(listener.getsockname())
    assert not sender.socket.getblocking()
    assert not os.get_inheritable(sender.socket.fileno())
    with pytest.raises(BlockingIOError):
        any(sender.send("STATUS=x") for _ in range(10**6))
    sender.discard(None)


def test_errors_come_out_and_leave_no_socket_behind(module, listener, tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        module.Sender(str(tmp_path / "missing"))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("code", [errno.ECONNREFUSED, errno.EBADF])
def test_a_socket_is_closed_after_an_error_but_not_one_that_somebody_closed(module, listener, code):
    sender = module.Sender(listener.getsockname())
    number = sender.socket.fileno()
    sender.discard(OSError(code, os.strerror(code)))
    if code == errno.EBADF:
        os.close(number)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
