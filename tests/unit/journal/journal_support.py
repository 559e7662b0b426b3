"""Helpers of the journal's tests: a receiving end like journald's, a sink that can fail, a clock that stands still."""

import array
import contextlib
import fcntl
import os
import socket

from hafta.journal import drill_events, durable_events, events, guard_events, overlord_events, warm_events
from hafta.journal.event import Event
from hafta.journal.sink import Sink

KINDS = [
    kind
    for module in (events, durable_events, guard_events, overlord_events, warm_events, drill_events)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind.MESSAGE_ID
]


class Happened(Event):
    """An event for tests: `text` tells kinds of it apart, `attempt` does not."""

    MESSAGE_ID = "f" * 32
    NAME = "happened"
    PRIORITY = 4
    VARYING = ("attempt",)

    text: str
    attempt: int = 1

    def message(self):
        return f"It happened: {self.text}"


class Fatal(Happened):
    NAME = "fatal"
    PRIORITY = 2


class Clock:
    def __init__(self):
        self.time = 1000.0

    def __call__(self):
        return self.time


class ListSink(Sink):
    """Takes what it is sent, unless told not to; may raise instead."""

    def __init__(self):
        self.sent = []
        self.refused = []
        self.takes = True
        self.error = None
        self.closed = 0

    def send(self, event, number, repeated):
        if self.error is not None:
            raise self.error
        (self.sent if self.takes else self.refused).append((event, number, repeated))
        return self.takes

    def close(self):
        self.closed += 1

    @property
    def stood_for(self):
        return sum(repeated for event, _, repeated in self.sent if event.NAME != "events-dropped")


def parse_entry(data):
    """Parse one entry of the native protocol, written from its description; every byte has to be accounted for."""
    fields = {}
    while data:
        line, newline, rest = data.partition(b"\n")
        assert newline, f"no newline after {line!r}"
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + size], rest[8 + size :]
            assert len(value) == size
            assert rest[:1] == b"\n"
            rest = rest[1:]
        key = name.decode("ascii")
        assert key == key.upper()
        assert key.replace("_", "").isalnum()
        assert not key.startswith("_")
        assert not key[0].isdigit()
        assert len(key) <= 64
        assert key not in fields
        fields[key] = value.decode()
        data = rest
    return fields


class Receiver:
    """A datagram socket that is read like journald's."""

    def __init__(self, path):
        self.path = path
        self.socket = None
        self.files = 0  # entries that came as a file
        self.open()

    def open(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)

    def close(self):
        self.socket.close()

    def entries(self):
        """Return what has arrived."""
        found = []
        while True:
            try:
                data, ancillary, _, _ = self.socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
            except BlockingIOError:
                return found
            found.append(parse_entry(self.file(data, ancillary) if ancillary else data))

    def file(self, data, ancillary):
        assert data == b""
        self.files += 1
        [(level, kind, fds)] = ancillary
        assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        [fd] = array.array("i", fds)
        try:
            every = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
            assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) == every
            return os.pread(fd, os.fstat(fd).st_size, 0)
        finally:
            os.close(fd)
