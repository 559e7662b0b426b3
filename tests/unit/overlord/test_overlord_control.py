"""The control socket: it answers with systemd's property names, and no client can hold the overlord up or end it."""

import os
import socket
import stat
import time

import pytest
from control_support import Asking, path_of, show
from overlord_harness import wait_until
from processes import run_python

from hafta.control import wire
from hafta.control.interface import DESCRIPTION
from hafta.overlord.control import clients
from hafta.overlord.control.clients import ControlSocket
from hafta.process.loop import Loop


def test_it_says_where_each_unit_stands_under_the_names_that_systemd_has(place):
    place.service("a", "/bin/sleep 1000", "Restart=on-failure", "RestartSec=1.5", unit=("Description=A good %n",))
    place.service("bad", "/bin/false", "Type=oneshot")
    overlord = place.start("a", "bad", until="bad.service failed")
    with Asking(path_of(place)) as asking:
        first, second = (reply["properties"] for reply in asking.each("List"))
        described = asking.ask("Describe")["properties"]
    (pid,) = overlord.pids("a.service")
    expected = {
        "Id": "a.service",
        "Names": ["a.service"],
        "Description": "A good a.service",
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
        "MainPID": pid,
        "ExecMainPID": pid,
        "Result": "success",
        "Restart": "on-failure",
        "RestartUSec": 1_500_000,
        "Type": "simple",
        "FragmentPath": f"{place.units}/a.service",
        "UnitFileState": "static",
        "NeedDaemonReload": False,
        "ExecMainExitTimestamp": 0,
        "TimeoutStartUSec": 90_000_000,
    }
    assert {name: first[name] for name in expected} == expected
    assert abs(first["ActiveEnterTimestamp"] / 1e6 - time.time()) < 60
    assert abs(first["ActiveEnterTimestampMonotonic"] / 1e6 - time.monotonic()) < 60
    assert (second["ActiveState"], second["Result"], second["ExecMainCode"], second["ExecMainStatus"]) == (
        *("failed", "exit-code"),
        *(1, 1),
    )
    assert described["SystemState"] == "degraded"
    assert (described["PID"], described["Units"]) == (overlord.pid, ["a.service", "bad.service"])


def test_it_says_whether_conditions_and_assertions_were_met(place):
    lines = {"met": "", "skipped": "ConditionPathExists=/nowhere", "refused": "AssertPathExists=/nowhere"}
    for name, line in lines.items():
        place.service(name, "/bin/sleep 1000", unit=(line,))
    place.unit("idle.service", "[Service]\nExecStart=/bin/true\n")
    overlord = place.start("met", "skipped", "refused", until="met.service is ready")
    overlord.wait_for("refused.service failed")
    names = ("ConditionResult", "AssertResult", "ConditionTimestamp", "AssertTimestampMonotonic")
    found = {name: show(place, name, *names) for name in ("met", "skipped", "refused", "idle")}
    assert {name: [bool(value) for value in each.values()] for name, each in found.items()} == {
        "met": [True, True, True, True],
        "skipped": [False, False, True, False],
        "refused": [True, False, True, True],
        "idle": [False, False, False, False],
    }


def test_the_invocation_is_the_one_that_the_service_was_told(place):
    place.up("a", f"/bin/sh -c 'echo $$INVOCATION_ID > {place.file('id')}; exec sleep 1000'", "Type=exec")
    told = wait_until(lambda: place.read("id").strip())
    assert told == show(place, "a", "InvocationID")["InvocationID"]
    assert len(told) == 32


def test_a_unit_that_is_not_run_is_looked_up_and_one_that_cannot_be_says_why(place):
    place.service("a", "/bin/sleep 1000")
    place.unit("idle.service", "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n")
    place.unit("odd.service", "[Service]\nExecStart=/bin/true\nRestart=perhaps\n")
    os.symlink("/dev/null", f"{place.units}/masked.service")
    os.symlink("a.service", f"{place.units}/alias.service")
    place.start("a").wait_for("is ready")
    wanted = ("Id", "LoadState", "ActiveState", "UnitFileState")
    assert list(show(place, "idle", *wanted).values()) == ["idle.service", "loaded", "inactive", "disabled"]
    assert list(show(place, "alias", *wanted).values()) == ["a.service", "loaded", "active", "static"]
    for name, state in (("nosuch", "not-found"), ("odd", "bad-setting"), ("masked", "masked")):
        found = show(place, name, *wanted)
        assert (found["LoadState"], found["ActiveState"], name in found["LoadError"]) == (state, "inactive", True)


def test_only_its_owner_may_ask_and_it_is_gone_with_the_overlord(place):
    place.service("a", "/bin/sleep 1000")
    overlord = place.start("a")
    path = path_of(place)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert overlord.stop() == 0
    assert not os.path.exists(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_refused_even_where_the_mode_lets_him_in(place):
    place.service("a", "/bin/sleep 1000")
    place.start("a").wait_for("is ready")
    path = path_of(place)
    os.chmod(path, 0o777)
    before = os.geteuid()
    os.chmod(place.path, 0o755)
    os.seteuid(65534)
    try:
        with Asking(path) as asking:
            assert asking.receive() == {"error": "hafta.Overlord.PermissionDenied", "parameters": {}}
    finally:
        os.seteuid(before)


def test_errors_have_the_names_that_varlink_gives_them(place):
    place.service("a", "/bin/sleep 1000")
    place.service("b", "/bin/sleep 1000")
    place.start("a", "b").wait_for("is ready", count=2)
    with Asking(path_of(place)) as asking:
        assert asking.refused("Nonsense") == (wire.METHOD_NOT_FOUND, {"method": "hafta.Overlord.Nonsense"})
        for wrong in ("a", [1], [""], ["x" * 300], ["\n"], ["a"] * 1001):
            assert asking.refused("List", units=wrong) == (wire.INVALID_PARAMETER, {"parameter": "units"})
        assert asking.refused("List") == (wire.INVALID_PARAMETER, {"parameter": "more"})
        assert asking.ask("org.varlink.service.GetInterfaceDescription", interface=wire.INTERFACE) == {
            "description": DESCRIPTION
        }
        assert wire.INTERFACE in asking.ask("org.varlink.service.GetInfo")["interfaces"]


@pytest.mark.parametrize(
    "nonsense",
    [
        *(b"\0", b"GET / HTTP/1.1\r\n\r\n\0", b"[]\0", b'{"method":1}\0', b"[" * 60000 + b"\0", b'{"method":NaN}\0'),
        *(b"x" * 70000, b'{"method":"a","parameters":[]}x\0', b"\xff\xfe\0", b'{"a":' + b"9" * 50000 + b"}\0"),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_who_speaks_nonsense_is_sent_away_and_nobody_else_is(place, nonsense):
    overlord = place.up("a", "/bin/sleep 1000")
    with Asking(path_of(place)) as other, Asking(path_of(place)) as asking:
        asking.socket.sendall(nonsense)
        assert asking.receive() is None
        assert other.ask("Describe")["properties"]["NNames"] == 1
    assert "Traceback" not in overlord.text


class Served:
    """A control socket in a loop of ours, whose answers are given."""

    def __init__(self, path, answer):
        self.notes = []
        self.loop = Loop(lambda _: None, lambda _: None)
        self.socket = ControlSocket(str(path), self.loop, lambda _client, message: answer(message), self.notes.append)

    def turn_until(self, condition):
        end = time.monotonic() + 20
        while not (found := condition()):
            assert time.monotonic() < end
            self.loop.set_timer(("test", ""), 0.01, lambda: None)
            self.loop.turn()
        return found

    def close(self):
        self.socket.close()
        self.loop.close()


@pytest.fixture
def serve(tmp_path):
    opened = []

    def serve(answer):
        opened.append(Served(tmp_path / "control", answer))
        return opened[-1]

    yield serve
    for served in opened:
        served.close()


def test_an_answer_is_made_only_as_fast_as_it_is_read(serve):
    made = []

    def answer(_message):
        for number in range(100000):
            made.append(number)
            yield b"x" * 1000

    served = serve(answer)
    with Asking(served.socket.path) as asking:
        asking.socket.sendall(b"{}\0")
        served.turn_until(lambda: len(made) > 10)
        for _ in range(50):
            served.loop.set_timer(("test", ""), 0.0, lambda: None)
            served.loop.turn()
        assert len(made) < 1000


def test_who_asks_nothing_or_reads_nothing_is_sent_away_after_a_while(serve, monkeypatch):
    monkeypatch.setattr(clients, "PATIENCE", 0.2)
    served = serve(lambda _message: iter([b"x" * 1_000_000]))
    with Asking(served.socket.path) as silent, Asking(served.socket.path) as slow:
        slow.socket.sendall(b"{}\0")
        served.turn_until(lambda: len(served.socket._clients) == 2)
        served.turn_until(lambda: not served.socket._clients)
        assert silent.receive() is None


def test_one_client_more_than_are_served_is_told_so(serve):
    served = serve(lambda _message: iter([b"{}\0"]))
    many = [Asking(served.socket.path) for _ in range(clients.BACKLOG)]
    served.turn_until(lambda: len(served.socket._clients) == clients.BACKLOG)
    many += [Asking(served.socket.path) for _ in range(clients.MOST - clients.BACKLOG)]
    served.turn_until(lambda: len(served.socket._clients) == clients.MOST)
    with Asking(served.socket.path) as late:
        late.socket.settimeout(0.01)
        served.loop.turn()
        assert late.receive() == {"error": wire.BUSY, "parameters": {}}
    for each in many:
        each.socket.close()
    served.turn_until(lambda: not served.socket._clients)


def test_an_error_in_answering_ends_that_client_alone(serve):
    def answer(message):
        if message == b"bad":
            raise KeyError("x")
        yield b"good\0"

    served = serve(answer)
    with Asking(served.socket.path) as bad, Asking(served.socket.path) as good:
        bad.socket.sendall(b"bad\0")
        served.turn_until(lambda: served.notes)
        good.socket.sendall(b"good\0")
        served.turn_until(lambda: good.socket.recv(100, 0x40) if served.loop.turn() is None else None)
        assert bad.receive() is None
    assert "KeyError: 'x'" in served.notes[0]


def test_a_swept_socket_is_made_again(serve, tmp_path):
    served = serve(lambda _message: iter([b'{"a": 1}\0']))
    os.unlink(served.socket.path)
    assert not served.socket.is_whole
    served.socket.renew()
    assert served.socket.is_whole
    with Asking(served.socket.path) as asking:
        asking.socket.sendall(b"{}\0")
        served.turn_until(lambda: len(served.socket._clients) == 1)
        for _ in range(3):
            served.loop.set_timer(("test", ""), 0.0, lambda: None)
            served.loop.turn()
        assert asking.receive() == {"a": 1}


def test_who_finds_the_socket_is_never_refused(serve, tmp_path, monkeypatch):
    """The path comes with a rename, of what is listened at already."""
    asked = []

    def rename(old, new):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(old)
        asked.append(os.path.lexists(new))
        os.replace(old, new)

    monkeypatch.setattr(os, "rename", rename)
    (tmp_path / "new").write_text("what a killed overlord has left")
    serve(lambda _: iter(()))
    assert asked == [False]
    assert not (tmp_path / "new").exists()


def test_an_overlord_that_nobody_asks_does_not_load_what_answers():
    done = run_python("import sys, hafta.overlord.overlord; print(*sys.modules)")
    answering = {"hafta.overlord.control.desk", "hafta.overlord.control.methods"}
    assert answering & set(done.stdout.split()) == {"hafta.overlord.control.desk"}
