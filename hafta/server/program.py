"""hafta-server: writes the alphabet to a named pipe, one record per interval, and bad data now and then."""

from __future__ import annotations

import os

from hafta import exits, fifo
from hafta.server.source import Source
from hafta.server.writer import Writer
from hafta.service.main import main as run_service
from hafta.settings import Program, Setting, number, path, switch, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafta.server.held import HeldEnd
    from hafta.service.service import Service
    from hafta.settings import Values


def octal(text: str) -> int:
    """Read the mode of a pipe."""
    wrong = "an octal mode of at most 0666 in which the owner may write, such as 0640"
    if not text or text.strip("01234567"):
        raise ValueError(wrong)
    mode = int(text, 8)
    if mode & ~0o666 or not mode & 0o200:
        raise ValueError(wrong)
    return mode


_WHERE = "$RUNTIME_DIRECTORY/pipe, $XDG_RUNTIME_DIR/hafta/pipe, /run/hafta/pipe for root, else /tmp/hafta-UID/pipe"

PROGRAM = Program(
    "hafta-server",
    "Write the alphabet to a named pipe, and bad data now and then. Any error ends it: its overlord restarts it.",
    (
        Setting("pipe", path, None, "the named pipe, made if it is missing", "PATH", _WHERE),
        Setting("interval", number, 1.0, "seconds between records; 0: as fast as possible", "SECONDS", "1"),
        Setting("bad-rate", whole, 25, "one record in N is bad data; 0: none, 1: each", "N"),
        Setting("seed", whole, None, "write the same stream at each run with this seed", "N", "different each time"),
        Setting("count", whole, 0, "end after N records, bad ones included; 0: never", "N"),
        Setting("mode", octal, 0o600, "who may open the pipe", "OCTAL", "0600"),
        Setting(
            "hold-pipe",
            switch,
            default=False,
            help="have the pipe held open while the server is replaced: its reader sees no end of file "
            "(needs --warm, or FileDescriptorStoreMax=1 in the unit)",
        ),
    ),
    (
        exits.OK,
        exits.USAGE,
        exits.NOT_FOUND,
        exits.PERMISSION,
        exits.READER_GONE,
        exits.NOT_A_PIPE,
        exits.SYMLINK,
        exits.FOREIGN_OWNER,
        exits.NO_SPACE,
        exits.IN_USE,
        exits.SYSTEM,
    ),
)


def serve(service: Service, values: Values) -> None:
    """Make the pipe and write to it. Raises ServiceError for everything that prevents it."""
    pipe = values.pipe
    if pipe is None:
        pipe = fifo.default_path(os.environ)
        fifo.make_directory(os.path.dirname(pipe))
    end = _end(service, pipe, hold=values.hold_pipe)
    fifo.make(pipe, values.mode)
    source = Source(values.bad_rate, values.seed, values.count)
    Writer(service, pipe, source, values.interval, end).run()


def _end(service: Service, pipe: str, *, hold: bool) -> HeldEnd | None:
    """Return the held writing end. If none is to be held, one that still is would lock this server out: let it go."""
    if not hold and not service.is_warm and "LISTEN_FDS" not in os.environ:
        return None  # nothing can have been given: spare the import
    from hafta.server.held import HeldEnd, let_go

    environ = {**os.environ, "NOTIFY_SOCKET": service.notifier.address}
    if hold:
        return HeldEnd(service, pipe, environ)
    let_go(service, environ)
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """Run hafta-server and return its exit status (hafta.exits)."""
    return run_service(PROGRAM, serve, argv)
