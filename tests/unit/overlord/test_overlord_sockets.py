"""Sockets of .socket units: held by the overlord, handed to services, and open while those restart."""

import os
import signal
import socket
import stat
import textwrap

import pytest
from overlord_harness import is_alive, wait_until
from processes import free_port

#: A service that says what it was given, and answers each connection with its process.
ECHO = """
    import os, socket, stat
    given = int(os.environ.get("LISTEN_FDS", 0))
    with open("{place}/said", "a") as file:
        ours = os.environ.get("LISTEN_PID") == str(os.getpid())
        names = os.environ.get("LISTEN_FDNAMES", "-")
        others = [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd > 2 + given and fd != file.fileno()]
        others = [fd for fd in others if os.path.lexists(f"/proc/self/fd/{{fd}}")]
        blocking = "".join(str(int(os.get_blocking(fd))) for fd in range(3, 3 + given))
        print(given, names, ours, blocking, others, file=file, flush=True)
    server = socket.socket(fileno=3)
    while True:
        connection, _ = server.accept()
        connection.sendall(str(os.getpid()).encode())
        connection.close()
"""


class Listening:
    """A place with an echoing service x and a socket for it."""

    def __init__(self, place):
        self.place = place
        self.path = place.file("x.sock")
        self.command = place.script("echo.py", textwrap.dedent(ECHO).format(place=place.path))

    def service(self, *lines, unit=()):
        """Write x.service."""
        self.place.service("x", self.command, *lines, unit=unit)

    def socket(self, *lines, name="x"):
        """Write x.socket."""
        lines = lines or (f"ListenStream={self.path}",)
        self.place.unit(f"{name}.socket", "\n".join(("[Socket]", *lines, "")))

    def open(self, *lines):
        """Write x.socket and start it; return the overlord that listens."""
        self.socket(*lines)
        return self.place.start("x.socket", until="x.socket listens on")

    def ask(self, address=None):
        """Connect and return the number of the process that has answered."""
        family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
        with socket.socket(family) as client:
            client.settimeout(60)
            client.connect(address or self.path)
            return int(client.recv(100))

    @property
    def said(self):
        """What each start of the service has said."""
        return [line.split(" ", 3) for line in self.place.read("said").splitlines()]


@pytest.fixture
def listening(place):
    return Listening(place)


def test_the_first_connection_starts_the_service_which_gets_the_socket_and_nothing_else(place, listening):
    listening.service()
    listening.socket()
    reader, writer = os.pipe()  # what the overlord's parent has left open
    overlord = place.start("x.socket", pass_fds=(reader, writer))
    os.close(reader), os.close(writer)
    overlord.wait_for("x.socket listens on")
    assert overlord.pids("x.service") == []
    answer = listening.ask()
    assert overlord.main("x.service") == answer
    assert listening.said == [["1", "x.socket", "True", "1 []"]]
    assert overlord.stop() == 0
    assert not os.path.exists(listening.path)


def test_a_crash_keeps_the_socket_and_no_connection_is_refused(place, listening):
    listening.service("Restart=always", "RestartSec=0.5")
    listening.open()
    first = listening.ask()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not is_alive(first))  # what it has accepted before is lost with it
    answers = [listening.ask() for _ in range(20)]
    assert len(set(answers)) == 1
    assert answers[0] != first
    assert [names for _, names, _, _ in listening.said] == ["x.socket"] * 2


def test_a_service_that_ends_is_started_again_by_the_next_connection(place, listening):
    listening.service()
    overlord = listening.open()
    first = listening.ask()
    os.kill(first, signal.SIGTERM)
    overlord.wait_for(r"x\.service is stopped")
    assert listening.ask() != first


def test_a_socket_that_is_started_with_its_service_is_open_before(place, listening):
    listening.service(unit=("Requires=x.socket",))
    listening.socket()
    overlord = place.start("x.service", until="x.service is ready")
    assert overlord.text.index("x.socket listens on") < overlord.text.index("x.service is starting")
    wait_until(lambda: listening.said)
    assert listening.said[0][1] == "x.socket"
    assert overlord.stop() == 0
    assert overlord.text.index("x.service is stopped") < overlord.text.index("x.socket is stopped")


def test_several_sockets_come_in_order_with_their_names(place, listening):
    port = free_port()
    listening.service("Sockets=b.socket", "NonBlocking=yes")
    listening.socket(f"ListenStream={listening.path}", f"ListenStream=127.0.0.1:{port}", "FileDescriptorName=two")
    listening.socket(
        f"ListenDatagram={place.file('b')}", f"ListenFIFO={place.file('f')}", "Service=x.service", name="b"
    )
    place.start("x.service", "x.socket")
    wait_until(lambda: listening.said)
    assert listening.said == [["4", "b.socket:b.socket:two:two", "True", "0000 []"]]


@pytest.mark.parametrize("kind", ["port", "IPv4", "abstract", "datagram", "fifo", "packets"])
def test_each_kind_of_address_starts_the_service(place, listening, kind):
    port, path = free_port(), place.file("other")
    lines = {
        "port": f"ListenStream={port}",
        "IPv4": f"ListenStream=127.0.0.1:{port}",
        "abstract": f"ListenStream=@{path}",
        "datagram": f"ListenDatagram={path}",
        "fifo": f"ListenFIFO={path}",
        "packets": f"ListenSequentialPacket={path}",
    }
    place.service("x", "/bin/sleep 1000")
    overlord = listening.open(lines[kind])
    if kind == "fifo":
        with open(path, "wb") as file:
            file.write(b"x")
    else:
        family = socket.AF_INET if kind in {"port", "IPv4"} else socket.AF_UNIX
        kinds = {"datagram": socket.SOCK_DGRAM, "packets": socket.SOCK_SEQPACKET}
        with socket.socket(family, kinds.get(kind, socket.SOCK_STREAM)) as client:
            client.connect(
                ("127.0.0.1", port) if family == socket.AF_INET else path if kind != "abstract" else f"\0{path}"
            )
            client.send(b"x")
            overlord.wait_for("x.service is ready")
    overlord.wait_for("x.service is ready")
    assert overlord.stop() == 0
    assert not os.path.lexists(path)


def test_modes_links_and_directories_are_as_asked_and_gone_at_the_end(place, listening):
    path, alias = place.file("new/deep/x.sock"), place.file("alias")
    listening.service()
    overlord = listening.open(f"ListenStream={path}", "SocketMode=0600", "DirectoryMode=0750", f"Symlinks={alias}")
    assert stat.S_IMODE(os.lstat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.lstat(os.path.dirname(path)).st_mode) == 0o750
    assert os.readlink(alias) == path
    assert listening.ask(alias)
    assert overlord.stop() == 0
    assert [name for name in ("new", "alias") if os.path.lexists(place.file(name))] == []


def test_what_a_killed_overlord_leaves_is_removed_by_its_keeper(place, listening):
    path = place.file("new/x.sock")
    listening.service()
    overlord = listening.open(f"ListenStream={path}")
    listening.ask(path)
    overlord.send(signal.SIGKILL)
    wait_until(lambda: not os.path.lexists(place.file("new")))


def test_a_stale_path_is_taken_over_and_one_that_somebody_uses_is_not(place, listening):
    listening.service()
    listening.socket()
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(listening.path)
    stale.close()
    overlord = place.start("x.socket", until="x.socket listens on")
    assert overlord.stop() == 0
    with socket.socket(socket.AF_UNIX) as used:
        used.bind(listening.path)
        used.listen()
        assert f"cannot listen on {listening.path}: it is in use by process {os.getpid()} (" in refusal(place)
        assert os.path.exists(listening.path)


def refusal(place):
    """Return the line that says why a socket cannot be opened; on a busy machine it takes a while to find out who."""
    for _ in range(20):
        overlord = place.start("x.socket")
        assert overlord.wait() == 1
        (line,) = overlord.find(".*cannot listen on.*")
        if "in use by" in line:
            break
    return line


@pytest.mark.parametrize("what", ["file", "folder", "fifo"])
def test_what_is_not_a_socket_is_never_removed(place, listening, what):
    listening.service()
    listening.socket()
    {"file": lambda path: open(path, "w").close(), "folder": os.mkdir, "fifo": os.mkfifo}[what](listening.path)
    overlord = place.start("x.socket")
    assert overlord.wait() == 1
    assert "it is not a socket; remove or rename it" in overlord.text
    assert os.path.exists(listening.path)


def test_a_port_in_use_is_one_line_that_names_the_process(place, listening):
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        port = used.getsockname()[1]
        listening.service()
        listening.socket(f"ListenStream=127.0.0.1:{port}")
        assert f"127.0.0.1:{port}: it is in use by process {os.getpid()} (" in refusal(place)


@pytest.mark.parametrize(
    ("service", "limits", "starts", "words"),
    [
        (
            ("StartLimitBurst=3", "StartLimitIntervalSec=60"), (), 3,
            "x.service was started too often (StartLimitBurst=)",
        ),
        (
            ("StartLimitIntervalSec=0",), ("TriggerLimitBurst=4", "TriggerLimitIntervalSec=60"), 4,
            "it started x.service more than 4 times in 60 s (TriggerLimitBurst=)",
        ),
    ],
)  # fmt: skip
def test_a_service_that_never_takes_its_connection_makes_the_socket_fail_in_words(
    place, listening, service, limits, starts, words
):
    place.service("x", "/bin/true", *service)
    overlord = listening.open(f"ListenStream={listening.path}", *limits)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(listening.path)
        assert overlord.wait() == 1
    assert len(overlord.pids("x.service")) == starts
    assert f"x.socket failed: {words}" in overlord.text


def test_what_waits_is_dropped_if_it_shall_be(place, listening):
    place.service("x", "/bin/true", "StartLimitIntervalSec=0")
    overlord = listening.open(f"ListenDatagram={listening.path}", "FlushPending=yes")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(listening.path)
        client.send(b"x")
        overlord.wait_for(r"x\.service is stopped")
        client.send(b"x")
        overlord.wait_for(r"x\.service is stopped", 2)
    assert overlord.stop() == 0
    assert len(overlord.pids("x.service")) == 2


def noting(place, word, status=0, sleep=""):
    """A command that notes its name, and whether the socket is there."""
    name = f"sock={place.path}/x.sock; test -S $$sock && there=yes || there=no"
    return f"/bin/sh -c '{name}; echo {word} $$there >>{place.path}/order; {sleep} exit {status}'"


def test_the_commands_of_a_socket_run_before_and_behind_opening_and_closing(place, listening):
    listening.service()
    listening.socket(
        f"ListenStream={listening.path}",
        "RemoveOnStop=yes",
        f"ExecStartPre={noting(place, 'pre')}",
        f"ExecStartPre=-{noting(place, 'forgiven', 3)}",
        f"ExecStartPost={noting(place, 'post')}",
        f"ExecStopPre={noting(place, 'stop-pre')}",
        f"ExecStopPost={noting(place, 'stop-post')}",
    )
    overlord = place.start("x.socket")
    overlord.wait_for("x.socket listens on")
    assert listening.ask() in wait_until(lambda: overlord.pids("x.service"))
    assert overlord.stop() == 0
    order = ["pre no", "forgiven no", "post yes", "stop-pre yes", "stop-post no"]
    assert place.read("order").splitlines() == order
    assert not overlord.find("command of Exec"), "a service that has been started by it does not matter to them"


@pytest.mark.parametrize(
    ("lines", "order", "said"),
    {
        "before it is open": (["Pre=1"], ["Pre no"], "ExecStartPre= failed"),
        "behind that": (
            ["Post=1"],
            ["Post yes", "StopPre yes", "StopPost no"],
            "ExecStartPost= failed",
        ),
    }.values(),
    ids=["before it is open", "behind that"],
)
def test_a_command_that_fails_fails_its_socket_and_what_requires_it(place, listening, lines, order, said):
    listening.service(unit=["Requires=x.socket"])
    directives = {"Pre": "ExecStartPre", "Post": "ExecStartPost", "StopPre": "ExecStopPre", "StopPost": "ExecStopPost"}
    status = dict(line.split("=") for line in lines)
    names = (*status, "StopPre", "StopPost")
    commands = [f"{directives[name]}={noting(place, name, status.get(name, 0))}" for name in names]
    listening.socket(f"ListenStream={listening.path}", "RemoveOnStop=yes", *commands)
    overlord = place.start("x.service")
    assert overlord.wait() == 1
    assert overlord.find(f"x.socket failed: {said}")
    assert overlord.find("x.service failed: it requires x.socket")
    assert place.read("order").splitlines() == order
    assert not os.path.exists(listening.path)


def test_a_command_of_a_socket_that_takes_too_long_is_killed_with_all_that_it_has_started(place, listening):
    listening.service()
    listening.socket(
        f"ListenStream={listening.path}",
        "TimeoutSec=200ms",
        f"ExecStartPost=/bin/sh -c 'sleep 1000 & echo $$! >{place.path}/left; wait'",
    )
    overlord = place.start("x.socket")
    assert overlord.wait() == 1
    assert overlord.find("x.socket failed: ExecStartPost= took longer than 0.2 s")
    assert not is_alive(int(place.read("left")))


def test_a_stop_while_a_command_of_a_socket_runs_ends_it_and_closes(place, listening):
    listening.service()
    listening.socket(
        f"ListenStream={listening.path}",
        f"ExecStartPost=/bin/sh -c 'echo >{place.path}/runs; exec sleep 1000'",
        f"ExecStopPre={noting(place, 'stop-pre')}",
        f"ExecStopPost={noting(place, 'stop-post')}",
        "RemoveOnStop=yes",
    )
    overlord = place.start("x.socket")
    wait_until(lambda: os.path.exists(place.file("runs")))
    assert overlord.stop() == 0
    assert place.read("order").splitlines() == ["stop-post no"]
    assert not overlord.find("x.socket failed")
