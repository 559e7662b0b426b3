"""What a .socket unit says reaches the kernel: addresses, options, modes, owners; what cannot be had is said."""

import errno
import os
import socket
import stat

import pytest

from hafta.overlord.opening import OpeningError, link, open_address, set_options
from hafta.overlord.paths import Paths
from hafta.units.listen import parse_address
from hafta.units.sockets import FIFO, Files, Listen, Socket
from hafta.units.unit import Credentials

STREAM, DGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
NOBODY = Credentials()
TCP4, TCP6, UDP4 = ("127.0.0.1", STREAM), ("[::1]", STREAM), ("127.0.0.1", DGRAM)
#: Directive and its value: on which address, and where the kernel shows which number.
OPTIONS = {
    "KeepAlive": (1, TCP4, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    "KeepAliveTimeSec": (30, TCP4, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    "KeepAliveIntervalSec": (7, TCP6, socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 7),
    "KeepAliveProbes": (3, TCP4, socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    "NoDelay": (1, TCP4, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    "Broadcast": (1, UDP4, socket.SOL_SOCKET, socket.SO_BROADCAST, 1),
    "Priority": (5, UDP4, socket.SOL_SOCKET, socket.SO_PRIORITY, 5),
    "ReceiveBuffer": (40000, UDP4, socket.SOL_SOCKET, socket.SO_RCVBUF, 80000),  # the kernel doubles it
    "SendBuffer": (40000, UDP4, socket.SOL_SOCKET, socket.SO_SNDBUF, 80000),
    "IPTOS": (16, TCP4, socket.IPPROTO_IP, socket.IP_TOS, 16),
    "IPTTL": (9, TCP6, socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 9),
    "PassPacketInfo": (1, UDP4, socket.IPPROTO_IP, 8, 1),
    "Timestamping": (
        int(socket.SO_TIMESTAMP) if hasattr(socket, "SO_TIMESTAMP") else 29,
        UDP4,
        socket.SOL_SOCKET,
        29,
        1,
    ),
}


@pytest.fixture
def opened(tmp_path):
    """Opens addresses; closes them at the end."""
    fds = []
    paths = Paths(str(tmp_path))

    def open_(listen, *, owner=NOBODY, **more):
        fds.append(open_address(listen, Socket((listen,), **more), owner, paths))
        return fds[-1]

    yield open_
    for fd in fds:
        os.close(fd)


def listen_on(where, kind=STREAM):
    """An address with a port that is free, or a path."""
    if str(where).startswith("/"):
        return Listen(kind, socket.AF_UNIX, str(where))
    with socket.socket(socket.AF_INET6 if where.startswith("[") else socket.AF_INET, kind) as probe:
        probe.bind((where.strip("[]"), 0))
        port = probe.getsockname()[1]
    return parse_address(f"{where}:{port}", kind)


def shown(fd, level, number):
    with socket.socket(fileno=os.dup(fd)) as made:
        return made.getsockopt(level, number)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_reaches_the_kernel(opened, name):
    value, (host, kind), level, number, expected = OPTIONS[name]
    listen, notes = listen_on(host, kind), []
    fd = opened(listen)
    set_options(fd, listen, ((name, value),), notes.append)
    assert (notes, shown(fd, level, number)) == ([], expected)


def test_an_option_of_another_kind_of_socket_is_left_out_and_one_that_is_refused_is_named(opened, tmp_path):
    listen, notes = listen_on(tmp_path / "s"), []
    set_options(opened(listen), listen, (("KeepAliveProbes", 3), ("IPTTL", 9), ("Nonsense", 1)), notes.append)
    assert notes == []
    listen = listen_on("127.0.0.1")
    set_options(opened(listen), listen, (("TCPCongestion", "nobody's"),), notes.append)
    assert notes == [f"TCPCongestion=nobody's for {listen.text}: No such file or directory"]


def test_a_pipe_has_its_size_mode_and_owner_and_its_directory_is_made(opened, tmp_path):
    listen = Listen(FIFO, socket.AF_UNIX, str(tmp_path / "a" / "pipe"))
    owner = Credentials(os.geteuid(), os.getegid())
    fd = opened(listen, owner=owner, files=Files(mode=0o620, directory_mode=0o750))
    set_options(fd, listen, (("PipeSize", 1 << 17), ("KeepAlive", 1)), pytest.fail)
    info = os.stat(listen.path)
    assert (stat.S_ISFIFO(info.st_mode), stat.S_IMODE(info.st_mode)) == (True, 0o620)
    assert stat.S_IMODE(os.stat(tmp_path / "a").st_mode) == 0o750
    assert os.get_blocking(fd) is False
    assert opened(listen) != fd  # the pipe that is there is taken


@pytest.mark.parametrize("kind", [STREAM, FIFO])
def test_what_stands_there_and_is_neither_socket_nor_pipe_is_left_alone(opened, tmp_path, kind):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OpeningError, match=f"cannot listen on {tmp_path}/file: it is not a"):
        opened(Listen(kind, socket.AF_UNIX, f"{tmp_path}/file"))
    assert (tmp_path / "file").read_text() == "kept"


def test_an_owner_who_is_not_there_is_said(opened, tmp_path):
    with pytest.raises(OpeningError, match=r"there is no group shed \(SocketGroup=\)"):
        opened(listen_on(tmp_path / "s"), owner=Credentials(missing_group="shed"))


def test_an_address_that_cannot_be_had_says_why_and_what_to_do(opened):
    taken = listen_on("127.0.0.1")
    opened(taken)
    with pytest.raises(OpeningError, match=r"it is in use.*; stop that, or choose another address"):
        opened(taken)
    with pytest.raises(OpeningError, match="this machine does not have the address; FreeBind=yes"):
        opened(parse_address("192.0.2.1:4000", STREAM))
    opened(parse_address("192.0.2.1:4000", STREAM), options=(("FreeBind", 1),))
    with pytest.raises(OpeningError) as raised:
        opened(Listen(STREAM, 250, "x", 1))
    assert (raised.value.is_unsupported, raised.value.__cause__.errno) == (True, errno.EAFNOSUPPORT)


def test_ports_can_be_shared_and_ipv6_be_alone(opened):
    first = listen_on("[::1]")
    alone = (("ReusePort", 1), ("BindIPv6Only", "ipv6-only"))
    fds = [opened(first, options=alone), opened(first, options=alone)]
    assert [shown(fd, socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) for fd in fds] == [1, 1]


def test_a_name_without_a_path_is_abstract_and_needs_no_file(opened):
    listen = parse_address(f"@hafta-{os.getpid()}", STREAM)
    fd = opened(listen)
    with socket.socket(fileno=os.dup(fd)) as made:
        assert made.getsockname() == f"\0hafta-{os.getpid()}".encode()


def test_a_link_is_made_left_when_right_and_replaced_only_when_the_unit_says_so(tmp_path):
    paths, path = Paths(str(tmp_path)), str(tmp_path / "b" / "link")
    for _ in range(2):
        link("/target", path, Files(), paths)
        assert os.readlink(path) == "/target"
    with pytest.raises(FileExistsError):
        link("/other", path, Files(), paths)
    link("/other", path, Files(remove_on_stop=True), paths)
    assert os.readlink(path) == "/other"
