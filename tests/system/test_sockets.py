"""The same .socket files under systemd and under the embedded overlord, on one machine: services get the same."""

import json
import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACE = "/run/oracle"  # of all addresses
UNITS = "/run/systemd/system"

#: A service that notes all that it was given, and then does what its argument says.
TELL = """
    import json, os, socket, stat, sys, time
    def describe(fd):
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return [stat.filemode(os.fstat(fd).st_mode)[0], os.get_blocking(fd)]
        with socket.socket(fileno=os.dup(fd)) as made:
            listens = made.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            return [str(made.family), made.type, str(made.getsockname()), listens, os.get_blocking(fd)]
    count = int(os.environ.get("LISTEN_FDS", 0))
    others = []
    for fd in range(3 + count, 64):
        try:
            os.fstat(fd)
        except OSError:
            continue
        others.append(fd)
    said = {name: os.environ.get(name) for name in ("LISTEN_FDS", "LISTEN_FDNAMES", "REMOTE_ADDR", "REMOTE_PORT")}
    said["ours"] = os.environ.get("LISTEN_PID") == str(os.getpid()) if count else None
    said.update(given=[describe(fd) for fd in range(3, 3 + count)], others=others, instance=sys.argv[2:])
    with open("/run/oracle/told", "a") as file:
        file.write(json.dumps(said) + "\\n")
    with open("/run/oracle/pid", "w") as file:
        file.write(str(os.getpid()))
    do = sys.argv[1]
    if do == "accept":
        server = socket.socket(fileno=3)
        while True:
            connection, _ = server.accept()
            connection.sendall(str(os.getpid()).encode())
            connection.close()
    elif do == "echo":
        print("in", sys.stdin.readline().strip(), flush=True)
    elif do == "store":
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.connect(os.environ["NOTIFY_SOCKET"])
        if count < 2:
            for name in ("one", "two", "three"):
                socket.send_fds(notify, [f"FDSTORE=1\\nFDNAME={name}".encode()], [os.memfd_create(name)])
            reader, writer = os.pipe()
            socket.send_fds(notify, [b"FDSTORE=1\\nFDNAME=gone"], [reader])
            socket.send_fds(notify, [b"FDSTORE=1"], [os.memfd_create("x")])
            notify.send(b"FDSTOREREMOVE=1\\nFDNAME=two")
        time.sleep(1000)
    elif do == "wait":
        time.sleep(1000)
"""

#: A client: connects, sends a line, and prints what it reads.
CLIENT = """
    import socket, sys
    kind, address, text = sys.argv[1:]
    if kind == "tcp":
        client = socket.create_connection(("127.0.0.1", int(address)), 30)
    else:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if kind == "dgram" else socket.SOCK_STREAM)
        client.settimeout(30)
        client.connect(address)
    client.sendall(text.encode() + b"\\n")
    try:
        while kind != "dgram" and (data := client.recv(1000)):
            print(data.decode(), end="")
    except ConnectionResetError:  # the service has not read what was sent
        pass
"""


class Systemd:
    """The units are run by systemd."""

    def __init__(self, machine):
        self.machine = machine

    def start(self):
        """Start the socket."""
        self.machine.sh("systemctl daemon-reload; systemctl start x.socket")

    def has_failed(self, unit):
        """Tell whether a unit has failed."""
        return self.machine.get(unit, "ActiveState") == "failed"

    def stop(self):
        """Stop all, and forget it."""
        self.machine.sh("systemctl stop x.socket; systemctl stop 'x@*' x.service 2>/dev/null || true")
        self.machine.sh("systemctl reset-failed")


class Overlord:
    """The units are run by the embedded overlord."""

    COMMAND = f"python3 -P -m hafta.overlord --runtime-dir /run/o --state-dir /run/s --unit-path {UNITS} x.socket"

    def __init__(self, machine):
        self.machine = machine

    @property
    def log(self):
        """What it has printed."""
        return self.machine.sh("cat /srv/log")

    def start(self):
        """Start an overlord with the socket."""
        self.machine.sh(f"PYTHONPATH=/srv setsid {self.COMMAND} > /srv/log 2>&1 < /dev/null & echo $! > /srv/pid")
        self.machine.wait_until("the socket", lambda: "x.socket listens on" in self.log)

    def has_failed(self, unit):
        """Tell whether a unit has failed."""
        return f"Unit {unit} failed" in self.log

    def stop(self):
        """Stop the overlord."""
        self.machine.sh(
            "kill $(cat /srv/pid) 2>/dev/null || true; while kill -0 $(cat /srv/pid) 2>/dev/null; do sleep 0.05; done"
        )


class Oracle:
    """A machine, and what is done on it under both."""

    def __init__(self, machine):
        self.machine = machine

    def observe(self, units, act):
        """Return what `act` sees and what the services have told, under systemd and under the embedded overlord."""
        return [self._under(kind(self.machine), units, act) for kind in (Systemd, Overlord)]

    def _under(self, runner, units, act):
        self.machine.sh(f"rm -rf {PLACE} {UNITS}/x*; mkdir -p {PLACE}")
        for name, text in units.items():
            self.machine.write(f"{UNITS}/{name}", textwrap.dedent(text))
        runner.start()
        try:
            seen = act(runner)
            return seen, [_without_ports(line) for line in self.told()]
        finally:
            runner.stop()

    def told(self):
        """Return what the services have told so far."""
        return [json.loads(line) for line in self.machine.sh(f"cat {PLACE}/told 2>/dev/null || true").splitlines()]

    def wait_told(self, count):
        """Wait until services have been started so often."""
        self.machine.wait_until(f"{count} starts", lambda: len(self.told()) >= count)

    def ask(self, kind, address, text="hello"):
        """Connect; return what is answered."""
        return self.machine.run("python3", "/srv/client.py", kind, address, text).stdout


def _without_ports(said):
    """Return what a service has told without the ports and process numbers that differ from run to run."""
    text = json.dumps(said)
    text = re.sub(r'"REMOTE_PORT": "\d+"', '"REMOTE_PORT": "PORT"', text)
    text = re.sub(r'"(\d)-\d+-0"', r'"\1-NUMBER-0"', text)
    return json.loads(re.sub(r"(127\.0\.0\.1:|-)\d{4,}\b", r"\1NUMBER", text))


@pytest.fixture(scope="module")
def oracle(machine):
    machine.write("/srv/tell.py", textwrap.dedent(TELL))
    machine.write("/srv/client.py", textwrap.dedent(CLIENT))
    machine.push(ROOT / "hafta", "/srv/hafta")
    return Oracle(machine)


def service(do, *lines):
    return "\n".join(("[Service]", f"ExecStart=/usr/bin/python3 /srv/tell.py {do}", *lines, ""))


def test_a_service_gets_the_same_sockets_in_the_same_order_with_the_same_names(oracle):
    units = {
        "x.service": service("wait", "NonBlocking=yes"),
        "x.socket": f"""
            [Socket]
            ListenStream={PLACE}/stream
            ListenDatagram={PLACE}/datagram
            ListenFIFO={PLACE}/fifo
            ListenStream=127.0.0.1:4711
            ListenSequentialPacket=@packets
            ListenStream=4712
            FileDescriptorName=six
        """,
    }

    def act(_):
        oracle.ask("dgram", f"{PLACE}/datagram")
        oracle.wait_told(1)

    systemd, overlord = oracle.observe(units, act)
    assert systemd[1][0]["LISTEN_FDNAMES"] == ":".join(["six"] * 6)
    assert overlord == systemd


def test_a_connection_during_a_restart_is_not_lost(oracle):
    units = {
        "x.service": service("accept", "Restart=always", "RestartSec=1"),
        "x.socket": f"[Socket]\nListenStream={PLACE}/x\n",
    }

    def act(_):
        first = oracle.ask("unix", f"{PLACE}/x")
        oracle.machine.sh(f"kill -KILL {first}; while kill -0 {first} 2>/dev/null; do sleep 0.01; done")
        second = oracle.ask("unix", f"{PLACE}/x")
        oracle.wait_told(2)
        return second.isdigit() and second != first

    systemd, overlord = oracle.observe(units, act)
    assert systemd[0] is True
    assert overlord == systemd


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_an_instance_of_a_connection_has_the_same_name_and_environment(oracle, kind):
    address = {"tcp": "4713", "unix": f"{PLACE}/x"}[kind]
    units = {
        "x@.service": service("leave %i"),
        "x.socket": f"[Socket]\nListenStream={address}\nAccept=yes\n",
    }

    def act(_):
        for count in (1, 2):
            oracle.ask(kind, address)
            oracle.wait_told(count)

    systemd, overlord = oracle.observe(units, act)
    assert len(systemd[1]) == 2
    assert overlord == systemd


def test_standard_input_and_output_are_the_connection(oracle):
    units = {
        "x@.service": service("echo", "StandardInput=socket"),
        "x.socket": f"[Socket]\nListenStream={PLACE}/x\nAccept=yes\n",
    }
    systemd, overlord = oracle.observe(units, lambda _: oracle.ask("unix", f"{PLACE}/x"))
    assert systemd[0] == "in hello\n"
    assert overlord == systemd


def test_what_is_stored_comes_back_in_the_same_order(oracle):
    units = {
        "x.service": service("store", "FileDescriptorStoreMax=4", "Restart=always", "RestartSec=200ms"),
        "x.socket": f"[Socket]\nListenStream={PLACE}/x\n",
    }

    def act(_):
        oracle.machine.sh(f"timeout 1 python3 /srv/client.py unix {PLACE}/x hello || true")
        oracle.wait_told(1)
        oracle.machine.sh(f"sleep 1; kill -KILL $(cat {PLACE}/pid)")
        oracle.wait_told(2)

    systemd, overlord = oracle.observe(units, act)
    assert systemd[1][1]["LISTEN_FDNAMES"].startswith("x.socket:")
    assert overlord == systemd


def test_paths_have_the_same_modes_owners_and_links(oracle):
    units = {
        "x.service": service("wait"),
        "x.socket": f"""
            [Socket]
            ListenStream={PLACE}/a/b/x
            SocketMode=0640
            SocketUser=nobody
            SocketGroup=daemon
            DirectoryMode=0710
            Symlinks={PLACE}/link {PLACE}/c/link
        """,
    }
    paths = " ".join(f"{PLACE}/{name}" for name in ("a", "a/b", "a/b/x", "link", "c", "c/link"))
    systemd, overlord = oracle.observe(units, lambda _: oracle.machine.sh(f"stat -c '%N %F %a %U %G' {paths}"))
    assert "socket 640 nobody daemon" in systemd[0]
    assert overlord == systemd


@pytest.mark.parametrize("limit", ["TriggerLimitBurst=3", "StartLimitBurst"])
def test_a_service_that_leaves_its_client_waiting_makes_the_socket_fail_after_as_many_starts(oracle, limit):
    is_trigger = limit.startswith("Trigger")
    units = {
        "x.service": service("leave", f"StartLimitInterval={0 if is_trigger else 60}", "StartLimitBurst=4"),
        "x.socket": f"[Socket]\nListenStream={PLACE}/x\n" + f"{limit}\nTriggerLimitIntervalSec=60\n" * is_trigger,
    }

    def act(runner):
        oracle.machine.run("python3", "/srv/client.py", "unix", f"{PLACE}/x", "x", check=False)
        oracle.machine.wait_until("the failure", lambda: runner.has_failed("x.socket"))
        return len(oracle.told())

    systemd, overlord = oracle.observe(units, act)
    assert systemd[0] == (3 if is_trigger else 4)
    assert overlord == systemd


def test_a_socket_that_is_a_part_of_its_service_is_opened_again_when_that_restarts(oracle):
    units = {
        "x.service": "[Unit]\nRequires=x.socket\n" + service("accept", "Restart=always", "RestartSec=200ms"),
        "x.socket": f"[Unit]\nPartOf=x.service\n[Socket]\nListenStream={PLACE}/x\n",
    }

    def act(_):
        before = oracle.machine.sh(f"stat -c %i {PLACE}/x")
        oracle.machine.sh(f"kill -KILL {oracle.ask('unix', f'{PLACE}/x')}")
        oracle.wait_told(2)
        return oracle.machine.sh(f"stat -c %i {PLACE}/x") == before

    systemd, overlord = oracle.observe(units, act)
    assert systemd[0] is False
    assert overlord == systemd
