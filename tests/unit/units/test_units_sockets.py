"""What a .socket unit says: addresses, options, the service that it belongs to, and what is refused."""

import socket

import pytest
from load_support import ROOTS

from hafta.errors import UsageError
from hafta.overlord.cycles import relations
from hafta.units.load import Loader
from hafta.units.sockets import FIFO, Files, Limits, Listen, Socket
from hafta.units.unitfile import UnitError

STREAM, DATAGRAM, PACKETS = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
UNIX, IPV4, IPV6 = socket.AF_UNIX, socket.AF_INET, socket.AF_INET6


def of(files, *lines, service="x", unit=""):
    """Return the Socket of x.socket with these lines."""
    files.service(service, unit=unit)
    files.write("x.socket", "\n".join(("[Socket]", *lines, "")))
    return files.load("x.socket")["x.socket"].socket


ADDRESSES = {
    "ListenStream=/": None,
    "ListenStream=%t/x.sock": Listen(STREAM, UNIX, "/run/x.sock"),
    "ListenStream=@x": Listen(STREAM, UNIX, "@x"),
    "ListenStream=" + "/" + "x" * 106: Listen(STREAM, UNIX, "/" + "x" * 106),
    "ListenStream=" + "/" + "x" * 107: None,
    "ListenStream=80": Listen(STREAM, IPV6, "", 80),
    "ListenStream=0": None,
    "ListenStream=65536": None,
    "ListenStream=127.0.0.1:80": Listen(STREAM, IPV4, "127.0.0.1", 80),
    "ListenStream=127.0.0.1": None,
    "ListenStream=127.1:80": None,
    "ListenStream=localhost:80": None,
    "ListenStream=[::]:111": Listen(STREAM, IPV6, "::", 111),
    "ListenStream=[fe80:0::1]:80": Listen(STREAM, IPV6, "fe80::1", 80),
    "ListenStream=::1:80": None,
    "ListenStream=vsock:2:80": None,
    "ListenDatagram=514": Listen(DATAGRAM, IPV6, "", 514),
    "ListenDatagram=/dev/log": Listen(DATAGRAM, UNIX, "/dev/log"),
    "ListenSequentialPacket=/run/x": Listen(PACKETS, UNIX, "/run/x"),
    "ListenSequentialPacket=80": None,
    "ListenFIFO=/run/fifo": Listen(FIFO, UNIX, "/run/fifo"),
    "ListenFIFO=fifo": None,
    "ListenNetlink=route 1361": None,
    "ListenSpecial=/dev/input": None,
    "ListenMessageQueue=/q": None,
}


@pytest.mark.parametrize(("line", "expected"), ADDRESSES.items(), ids=[line[:30] for line in ADDRESSES])
def test_an_address_is_what_systemd_makes_of_it_or_an_error_that_names_it(files, line, expected):
    if expected:
        assert of(files, line).listen == (expected,)
        return
    with pytest.raises(UnitError) as caught:
        of(files, line)
    assert f"x.socket:2: {line}" in str(caught.value)


def test_addresses_keep_their_order_and_an_empty_line_drops_those_before(files):
    lines = ("ListenStream=1", "ListenFIFO=", "ListenDatagram=2", "ListenStream=/a", "ListenFIFO=/b")
    found = of(files, *lines).listen
    assert [each.text for each in found] == ["port 2", "/a", "/b"]


def test_defaults_are_systemds(files):
    assert of(files, "ListenStream=/a") == Socket(
        listen=(Listen(STREAM, UNIX, "/a"),), service="x.service", backlog=4096, files=Files(), limits=Limits()
    )
    assert (Files().mode, Files().directory_mode, Limits().interval, Limits().burst) == (0o666, 0o755, 2.0, 20)


def test_options_reach_the_kernel_by_name_and_what_is_reset_does_not(files):
    lines = ("NoDelay=yes", "ReceiveBuffer=64K", "KeepAliveTimeSec=1min", "IPTOS=low-delay", "Mark=5", "Mark=")
    found = dict(of(files, "ListenStream=80", *lines).options)
    assert found == {"NoDelay": True, "ReceiveBuffer": 65536, "KeepAliveTimeSec": 60, "IPTOS": 0x10}


def test_a_boolean_says_whether_ipv6_is_alone(files):
    for word, meaning in (("yes", "ipv6-only"), ("no", "both"), ("both", "both"), ("default", "default")):
        assert dict(of(files, "ListenStream=80", f"BindIPv6Only={word}").options) == {"BindIPv6Only": meaning}


def test_commands_are_read_as_those_of_a_service(files):
    files.service("x")
    lines = ("ExecStartPre=/bin/a", "ExecStartPre=-/bin/b ; +/bin/c", "ExecStopPre=@/bin/d e", "TimeoutSec=5")
    files.write("x.socket", "\n".join(("[Socket]", "ListenStream=/a", "ExecStopPost=/bin/no", "ExecStopPost=", *lines)))
    unit = files.load("x.socket")["x.socket"]
    assert unit.unheeded == ()
    assert [(each.path, each.ignore_failure, each.privileged) for each in unit.commands.start_pre] == [
        ("/bin/a", False, False), ("/bin/b", True, False), ("/bin/c", False, True),
    ]  # fmt: skip
    assert [each.argv for each in unit.commands.stop] == [("e",)]
    assert (unit.commands.start_post, unit.commands.stop_post, unit.timeout_start) == ((), (), 5.0)


def test_the_service_of_a_socket_is_reached_and_comes_after_it(files):
    files.service("y")
    files.write("x.socket", "[Socket]\nListenStream=/a\nService=y.service\n")
    units = files.load("x.socket")
    assert list(units) == ["x.socket", "y.service"]
    assert units["x.socket"].needs.before == units["x.socket"].needs.triggers == ("y.service",)


def test_a_service_names_more_sockets_and_comes_after_them(files):
    files.service("x", "Sockets=a.socket b.socket")
    for name in "ab":
        files.write(f"{name}.socket", f"[Socket]\nListenStream=/{name}\nService=x.service\n")
    needs = files.load("x")["x.service"].needs
    assert needs.sockets == needs.wants == needs.after == ("a.socket", "b.socket")


def test_a_socket_without_its_service_is_refused(files):
    files.write("x.socket", "[Socket]\nListenStream=/a\n")
    with pytest.raises(UsageError, match=r"there is no unit x\.service, which x\.socket requires"):
        files.load("x.socket")


REFUSED = {
    "nothing": ("", "listens nowhere"),
    "accept a datagram": ("ListenDatagram=/a\nAccept=yes", "nothing can be accepted"),
    "accept for one service": ("ListenStream=/a\nAccept=yes\nService=x.service", "no Service= with Accept=yes"),
    "accept nobody": ("ListenStream=/a\nAccept=yes\nMaxConnections=0", "MaxConnections= of 1 or more"),
    "links to what": ("ListenStream=/a\nListenStream=/b\nSymlinks=/c", "exactly one address that is a path"),
    "a command": ("ListenStream=/a\nExecStartPre=bin/true", "expected"),
    "a name": ("ListenStream=/a\nFileDescriptorName=a:b", "without a colon"),
    "a size": ("ListenStream=/a\nReceiveBuffer=4G", "below 2G"),
}


@pytest.mark.parametrize(("lines", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused_in_words(files, lines, words):
    files.service("x@")
    with pytest.raises(UnitError, match=words):
        of(files, *lines.split("\n"))


def test_connections_get_instances_of_the_template(files):
    files.service("x@", "Environment=WHO=%i", unit="Requires=y.service")
    files.service("y")
    files.write("x.socket", "[Socket]\nListenStream=/a\nAccept=yes\n")
    loader = Loader((str(files.path / "units"),), ROOTS)
    units = loader.load(["x.socket"])
    assert list(units) == ["x.socket", "y.service"]
    assert units["x.socket"].socket.limits.burst == 200
    unit = units["x.socket"].socket.template.instance("x@7-1-0.service")
    assert (unit.name, unit.environment) == ("x@7-1-0.service", (("WHO", "7-1-0"),))
    assert unit.needs.requires == ("y.service",)


def test_a_socket_that_accepts_without_a_template_is_refused(files):
    with pytest.raises(UsageError, match=r"there is no template x@\.service for its connections"):
        of(files, "ListenStream=/a", "Accept=yes")


def test_sockets_of_systemd_itself_are_taken_as_there(files):
    files.write("systemd-journald.socket", "[Socket]\nListenStream=/a\n", "system")
    files.service("x", unit="Requires=systemd-journald.socket\nAfter=systemd-journald.socket")
    units = files.load("x")
    assert {name: unit.unheeded for name, unit in units.items()} == {"x.service": ()}


def test_what_is_enabled_includes_sockets(files):
    files.write("multi-user.target", "[Unit]\n", "system")
    files.service("x")
    files.write("x.socket", "[Socket]\nListenStream=/a\n")
    files.write("sockets.target.wants/x.socket", "")
    assert list(files.load("multi-user.target")) == ["multi-user.target", "x.socket", "x.service"]


def test_services_wait_for_all_sockets_unless_these_wait_for_them(files):
    for name in "xy":
        files.service(name)
    files.write("x.socket", "[Socket]\nListenStream=/a\n")
    files.write("y.socket", "[Unit]\nAfter=x.service\n[Socket]\nListenStream=/b\n")
    after = relations(files.load("x.socket", "y.socket"))
    assert (after["x.service"], after["y.service"]) == ({"x.socket"}, {"x.socket", "y.socket"})
    assert after["y.socket"] == {"x.service"}


def test_stored_descriptors_need_somebody_to_hear(files):
    unit = files.one("FileDescriptorStoreMax=3")
    assert (unit.store_max, unit.notify_access) == (3, "main")
