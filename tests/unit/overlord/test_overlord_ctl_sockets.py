"""Sockets asked and told by `hafta ctl`: they stop and start alone, and what they start stays."""

import os
import socket

import pytest
from control_support import show
from overlord_harness import wait_until
from test_overlord_ctl import ctl
from test_overlord_sockets import Listening


@pytest.fixture
def listening(place):
    found = Listening(place)
    found.service()
    found.socket()
    place.service("other", "/bin/sleep 1000")
    return found


def states(place, name):
    """Return ActiveState and SubState of a unit."""
    found = show(place, name, "ActiveState", "SubState")
    return found["ActiveState"], found["SubState"]


def test_a_socket_shows_whether_it_listens_or_its_service_runs(place, listening):
    place.start("x.socket").wait_for("x.socket listens on")
    assert states(place, "x.socket") == ("active", "listening")
    assert show(place, "x.socket", "Triggers", "Listen", "Result") == {
        "Result": "success",
        "Triggers": ["x.service"],
        "Listen": [f"{listening.path} (Stream)"],
    }
    listening.ask()
    wait_until(lambda: states(place, "x.socket") == ("active", "running"))


def test_stopping_a_socket_leaves_its_service_and_the_path(place, listening):
    overlord = place.start("x.socket", "other", until="x.socket listens on")
    pid = listening.ask()
    assert ctl(place, "stop", "x.socket").status == 0
    assert states(place, "x.socket") == ("inactive", "dead")
    assert states(place, "x.service") == ("active", "running")
    assert os.path.exists(listening.path)
    assert listening.ask() == pid, "the service still has the socket"
    assert overlord.stop() == 0
    assert not os.path.exists(listening.path)


def test_a_socket_does_not_start_while_its_service_runs_without_it(place, listening):
    overlord = place.start("x.socket", "other", until="x.socket listens on")
    listening.ask()
    ctl(place, "stop", "x.socket")
    assert ctl(place, "start", "x.socket").status == 1
    assert "x.socket failed: x.service is already active; stop it first" in overlord.text
    ctl(place, "stop", "x.service")
    assert ctl(place, "start", "x.socket").status == 0
    assert listening.ask()


def test_a_service_that_is_stopped_can_be_started_again_by_its_socket(place, listening):
    place.start("x.socket", "other").wait_for("x.socket listens on")
    first = listening.ask()
    assert ctl(place, "stop", "x.service").status == 0
    assert states(place, "x.socket") == ("active", "listening")
    assert listening.ask() != first


def test_a_socket_that_has_failed_can_be_reset_and_started(place, listening):
    os.mkdir(listening.path)
    place.start("x.socket", "other", until="x.socket failed")
    assert ctl(place, "reset-failed", "x.socket").status == 0
    assert states(place, "x.socket") == ("inactive", "dead")
    os.rmdir(listening.path)
    assert ctl(place, "start", "x.socket").status == 0
    assert listening.ask()


def test_what_a_socket_file_says_now_counts_from_its_next_start(place, listening):
    place.start("x.socket", "other").wait_for("x.socket listens on")
    other = place.file("y.sock")
    listening.socket(f"ListenStream={other}")
    assert ctl(place, "daemon-reload").status == 0
    assert listening.ask()
    assert ctl(place, "stop", "x.service", "x.socket").status == 0
    assert ctl(place, "start", "x.socket").status == 0
    assert listening.ask(other)


def test_a_socket_that_was_not_run_is_taken_in_with_its_service(place, listening):
    overlord = place.start("other", until="other.service is ready")
    assert ctl(place, "start", "x.socket").status == 0
    assert overlord.pids("x.service") == []
    answer = listening.ask()
    assert overlord.main("x.service") == answer


def test_a_socket_with_connections_goes_on_while_units_are_taken_in(place, listening):
    place.service("y@", "/bin/cat", "StandardInput=socket")
    path = place.file("y.sock")
    place.unit("y.socket", f"[Socket]\nListenStream={path}\nAccept=yes\n")
    overlord = place.start("other", until="other.service is ready")
    assert ctl(place, "start", "y.socket").status == 0
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(path)
        client.sendall(b"one")
        assert client.recv(10) == b"one"
        assert ctl(place, "start", "x.socket").status == 0
        client.sendall(b"two")
        assert client.recv(10) == b"two"
    overlord.wait_for(r"y@\S+ is stopped")
    assert listening.ask()
    assert ctl(place, "stop", "y.socket").status == 0
