"""How `hafta ctl` shows properties, as systemctl does, and its words for an overlord that answers badly or not."""

import os
import socket
import threading

import pytest

from hafta.control import wire
from hafta.control.asking import Asking, Refused, connect
from hafta.control.shown import ago, lines, moment, span
from hafta.errors import HaftaError

SPANS = {
    0: "0",
    1: "1us",
    1500: "1.500ms",
    100_000: "100ms",
    1_500_000: "1.500000s",
    90_000_000: "1min 30s",
    3_600_000_000: "1h",
    90_061_000_000: "1d 1h 1min 1s",
    (1 << 64) - 1: "infinity",
}
AGO = {
    5_000: "5ms ago",
    7_000_000: "7s ago",
    90_000_000: "1min 30s ago",
    600_000_000: "10min ago",
    7_500_000_000: "2h 5min ago",
    100_000_000_000: "1 day 3h ago",
    700_000_000_000: "8 days ago",
    -5: "0ms ago",
}
COMMAND = {"path": "/bin/x", "argv": ["x", "\x1b[2J"], "ignore_errors": True}
LINES = {
    ("Restart", True): ["yes"],
    ("MainPID", 7): ["7"],
    ("RestartUSec", 100_000): ["100ms"],
    ("ActiveEnterTimestamp", 0): [""],
    ("Names", ("a.service", "b\n.service")): ["a.service b\\x0a.service"],
    ("Description", "red \x1b[31m"): ["red \\x1b[31m"],
}


@pytest.mark.parametrize("usec", SPANS)
def test_a_span_is_written_as_systemd_writes_it(usec):
    assert span(usec) == SPANS[usec]


@pytest.mark.parametrize("usec", AGO)
def test_how_long_ago_is_said_in_two_units_at_most(usec):
    assert ago(usec) == AGO[usec]


@pytest.mark.parametrize(("name", "value"), LINES)
def test_a_property_is_shown_by_its_kind_and_never_obeyed_by_a_terminal(name, value):
    assert lines(name, list(value) if isinstance(value, tuple) else value) == LINES[name, value]


def test_a_command_is_shown_in_braces_and_a_moment_with_its_zone():
    (shown,) = lines("ExecStart", [COMMAND])
    assert shown.startswith("{ path=/bin/x ; argv[]=x \\x1b[2J ; ignore_errors=yes ; start_time=[n/a] ;")
    assert shown.endswith(" ; pid=0 ; code=(null) ; status=0/0 }")
    assert moment(1_000_000).endswith((" UTC", " GMT")) or moment(1_000_000).split()[1].startswith("19")


@pytest.fixture
def overlord(tmp_path):
    """Something that listens as an overlord does, and answers each connection with these bytes."""
    threads = []

    def listen(answer):
        path = str(tmp_path / "control")
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen()

        def serve():
            with server, server.accept()[0] as client:
                client.recv(65536)
                client.sendall(answer)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return path

    yield listen
    for thread in threads:
        thread.join()


def refusal(name, **parameters):
    return wire.encode({"error": name, "parameters": parameters})


ANSWERS = {
    "it hangs up": (b"", HaftaError, "the overlord at .* has ended"),
    "it refuses in words": (refusal(wire.BUSY, message="later"), Refused, "^later$"),
    "it has too much to do": (refusal(wire.BUSY), Refused, "serves as many clients as it can"),
    "it may not": (refusal(wire.DENIED), Refused, "answers only root and its own user"),
    "something else": (refusal("org.x.Odd"), Refused, "org.x.Odd"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_none_is_said_in_words(overlord, name):
    answer, kind, words = ANSWERS[name]
    with Asking(overlord(answer)) as asking:
        assert (asking.pid, asking.uid) == (os.getpid(), os.geteuid())
        with pytest.raises(kind, match=words):
            asking.ask("Describe", {})


def test_an_overlord_is_found_by_its_directory_and_one_that_is_not_there_is_said(overlord, tmp_path):
    with pytest.raises(HaftaError, match=f"cannot reach the overlord at {tmp_path}: No such file"):
        connect(str(tmp_path), {})
    overlord(wire.encode({"parameters": {"properties": {}}}))
    with connect(str(tmp_path), {}) as asking:
        assert list(asking.each("Describe", {})) == [{"properties": {}}]
    with pytest.raises(HaftaError, match="no overlord of this user runs as process 1"):
        connect("1", {"HAFTA_RUNTIME_DIR": str(tmp_path)})
    with pytest.raises(HaftaError, match="no overlord of this user runs here"):
        connect("", {"HAFTA_RUNTIME_DIR": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)})
