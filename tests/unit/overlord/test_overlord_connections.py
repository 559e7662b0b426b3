"""Sockets with Accept=yes: each connection has a service, an instance of the template, as inetd(8) would start it."""

import os
import socket
import textwrap

import pytest
from overlord_harness import wait_until
from processes import free_port

#: A service that says who it is and what it was given, then echoes what it reads.
SERVED = """
    import os, socket, sys
    number = int(os.environ.get("LISTEN_FDS", 0))
    said = [sys.argv[1], number, os.environ.get("LISTEN_FDNAMES", "-"), os.environ.get("REMOTE_ADDR", "-")]
    ours = os.environ.get("LISTEN_PID") == str(os.getpid())
    connection = socket.socket(fileno=3)
    print(*said, ours, os.environ.get("REMOTE_PORT", "-"), file=connection.makefile("w"), flush=True)
    while data := connection.recv(1000):
        connection.sendall(data)
"""


class Served:
    """A place with a template x@.service and x.socket, which accepts."""

    def __init__(self, place):
        self.place = place
        self.path = place.file("x.sock")

    def template(self, command, *lines):
        """Write x@.service."""
        self.place.service("x@", command, *lines)

    def socket(self, *lines):
        """Write x.socket and start it."""
        lines = lines if any(line.startswith("Listen") for line in lines) else (f"ListenStream={self.path}", *lines)
        self.place.unit("x.socket", "\n".join(("[Socket]", "Accept=yes", *lines, "")))
        overlord = self.place.start("x.socket")
        overlord.wait_for("x.socket listens on")
        return overlord

    def connect(self, address=None):
        """Return a connection."""
        client = socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX)
        client.settimeout(60)
        client.connect(address or self.path)
        return client


@pytest.fixture
def served(place):
    found = Served(place)
    found.template(place.script("served.py", textwrap.dedent(SERVED)) + " %i")
    return found


def read_all(client):
    found = b""
    while data := client.recv(1000):
        found += data
    return found.decode()


def test_each_connection_has_an_instance_that_is_forgotten_at_its_end(served):
    overlord = served.socket()
    us = f"{os.getpid()}-{os.getuid()}"
    with served.connect() as one, served.connect() as two:
        for number, client in enumerate((one, two)):
            said = client.makefile().readline().split()
            assert said == [f"{number}-{us}", "1", "connection", "-", "True", "-"]
            client.sendall(b"again")
            assert client.recv(100) == b"again"
        overlord.send(10)  # SIGUSR1
        overlord.wait_for(rf"x@1-{us}\.service: active")
    overlord.wait_for(r"x@\S+ is stopped", 2)
    before = len(overlord.lines)
    overlord.send(10)
    wait_until(lambda: any("x.socket: active" in line for line in overlord.lines[before:]))
    assert [line for line in overlord.lines[before:] if "x@" in line] == []


def test_a_connection_by_ip_is_named_as_systemd_names_it(served, place):
    port = free_port()
    served.socket(f"ListenStream={port}")
    with served.connect(("127.0.0.1", port)) as client:
        ours = client.getsockname()[1]
        said = client.makefile().readline().split()
    assert said == [f"0-127.0.0.1:{port}-127.0.0.1:{ours}", "1", "connection", "127.0.0.1", "True", str(ours)]


def test_standard_input_and_output_may_be_the_connection(served):
    script = "read line; echo got $$line, $${LISTEN_FDS-nothing}; echo bad >&2"
    served.template(f"/bin/sh -c '{script}'", "StandardInput=socket")
    served.socket()
    with served.connect() as client:
        client.sendall(b"a line\n")
        assert read_all(client) == "got a line, nothing\nbad\n"


def test_what_is_not_to_be_the_connection_is_shown(served):
    served.template("/bin/sh -c 'echo out; echo bad >&2'", "StandardInput=socket", "StandardError=journal")
    overlord = served.socket()
    with served.connect() as client:
        assert read_all(client) == "out\n"
    overlord.wait_for(r"x@\S+ \| bad")


def test_a_connection_ends_when_its_service_closes_it(served):
    served.template("/bin/sh -c 'exec <&- >&- 2>&-; exec sleep 1000'", "StandardInput=socket")
    served.socket()
    with served.connect() as client:
        assert read_all(client) == ""


def test_a_service_of_a_connection_is_never_restarted_and_its_failure_is_not_the_sockets(served):
    served.template("/bin/false", "Restart=always", "RestartSec=0")
    overlord = served.socket()
    for _ in range(3):
        with served.connect() as client:
            assert read_all(client) == ""
    overlord.wait_for(r"x@\S+ failed", 3)
    assert len(overlord.find(r"is starting as process")) == 3


def test_more_connections_than_allowed_are_closed_and_those_that_are_there_go_on(served):
    overlord = served.socket("MaxConnections=2")
    clients = [served.connect() for _ in range(2)]
    for client in clients:
        client.makefile().readline()
    with served.connect() as third:
        assert read_all(third) == ""
    overlord.wait_for(r"x.socket: more than 2 connections \(MaxConnections=\)")
    clients.pop().close()
    overlord.wait_for(r"x@\S+ is stopped")
    with served.connect() as again:
        assert again.makefile().readline().startswith("2-")
    clients.pop().close()


def test_a_source_may_have_fewer_connections_than_all(served):
    port = free_port()
    overlord = served.socket(f"ListenStream=127.0.0.1:{port}", "MaxConnectionsPerSource=1")
    with served.connect(("127.0.0.1", port)) as first:
        first.makefile().readline()
        with served.connect(("127.0.0.1", port)) as second:
            assert read_all(second) == ""
        overlord.wait_for(r"more than 1 connections from 127.0.0.1 \(MaxConnectionsPerSource=\)")


def test_more_connections_than_the_trigger_limit_make_the_socket_fail(served):
    overlord = served.socket("TriggerLimitBurst=3", "TriggerLimitIntervalSec=60", "MaxConnections=1000")
    clients = [served.connect() for _ in range(4)]
    overlord.wait_for(r"x\.socket failed: it started its template more than 3 times in 60 s \(TriggerLimitBurst=\)")
    for client in clients:
        client.close()
    assert overlord.wait() == 1


def test_hundreds_of_connections_leave_nothing_behind(served):
    served.template("/bin/true")
    overlord = served.socket("TriggerLimitIntervalSec=0")
    before = len(os.listdir(f"/proc/{overlord.pid}/fd"))
    for _ in range(200):
        with served.connect() as client:
            client.makefile().read()
    wait_until(lambda: len(os.listdir(f"/proc/{overlord.pid}/fd")) == before)


def test_a_socket_with_one_address_may_be_standard_input_of_its_only_service(place):
    path = place.file("x.sock")
    place.service("x", place.script("x.py", ACCEPTS), "StandardInput=socket")
    place.unit("x.socket", f"[Socket]\nListenStream={path}\n")
    place.start("x.socket", until="x.socket listens on")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(path)
        assert read_all(client) == "None"


ACCEPTS = """
    import os, socket
    server = socket.socket(fileno=0)
    connection, _ = server.accept()
    connection.sendall(str(os.environ.get("LISTEN_FDS")).encode())
"""


def test_a_service_that_wants_one_socket_and_has_two_does_not_start(place):
    place.service("x", "/bin/true", "StandardInput=socket")
    place.unit("x.socket", f"[Socket]\nListenStream={place.file('a')}\nListenStream={place.file('b')}\n")
    overlord = place.start("x.socket", "x.service")
    overlord.wait_for("x.service failed.*StandardInput=socket needs exactly one socket, and there are 2")
