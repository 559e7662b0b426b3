"""hafta-server: writes the alphabet to a named pipe, one record per interval, and bad data now and then."""

from __future__ import annotations

import os
import sys

from hafta import exits, fifo
from hafta.server.source import Source
from hafta.server.writer import Writer
from hafta.service.main import main as run_service
from hafta.settings import Program, Setting, number, path, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafta.runtime import Runtime
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
        Setting("interval", number, 1.0, "one record per so many seconds; 0: as fast as possible", "SECONDS", "1"),
        Setting("bad-rate", whole, 25, "one record in N is bad data; 0: none, 1: each", "N"),
        Setting("seed", whole, None, "write the same stream at each run with this seed", "N", "different each time"),
        Setting("count", whole, 0, "end after so many records, bad ones included; 0: never", "N"),
        Setting("mode", octal, 0o600, "who may open the pipe", "OCTAL", "0600"),
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


def serve(runtime: Runtime, values: Values) -> None:
    """Make the pipe and write to it. Raises ServiceError for whatever keeps it from that."""
    pipe = values.pipe
    if pipe is None:
        pipe = fifo.default_path(os.environ)
        fifo.make_directory(os.path.dirname(pipe))
    fifo.make(pipe, values.mode)
    Writer(runtime, pipe, Source(values.bad_rate, values.seed, values.count), values.interval).run()


def main(argv: Sequence[str] | None = None) -> int:
    """Run hafta-server and return its exit status (hafta.exits)."""
    return run_service(PROGRAM, serve, sys.argv[1:] if argv is None else argv)
