"""Where the entries of this process go, by what is there. The program behaves the same with each sink.

systemd sets $JOURNAL_STREAM to the device and inode of the journal's stream when stdout or stderr is one. A process may
have been given other files since, or have inherited the variable from a login shell, so it is compared with what both
are now, as systemd.exec(5) asks.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.journal.sink import Sink


def choose_sink(environ: Mapping[str, str], identifier: str = "", *, stderr: int = 2, stdout: int = 1) -> Sink:
    """Return the journal if stderr or stdout leads there, the terminal if stderr is one, else logging.

    `identifier` is what the journal calls SYSLOG_IDENTIFIER: the program's name, unless given.
    """
    identifier = identifier or _program()
    stream = environ.get("JOURNAL_STREAM", "")
    if stream and stream in {_identity(stderr), _identity(stdout)}:
        from hafta.journal.journald import JournaldSink

        return JournaldSink(identifier)
    from hafta.journal.output import Output

    if os.isatty(stderr):
        from hafta.journal.terminal import TerminalSink, wants_colour

        return TerminalSink(identifier, Output(stderr), colour=wants_colour(environ))
    from hafta.journal.logs import LogSink

    return LogSink(identifier, Output(stderr))


def _identity(fd: int) -> str:
    try:
        status = os.fstat(fd)
    except OSError:
        return ""
    return f"{status.st_dev}:{status.st_ino}"


def _program() -> str:
    path = sys.argv[0] if sys.argv else ""
    if os.path.basename(path) == "__main__.py":  # python -m PACKAGE
        path = os.path.dirname(path)
    return os.path.basename(path) or "hafta"
