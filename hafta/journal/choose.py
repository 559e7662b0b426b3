"""Choose where the entries of this process go. The program behaves the same with each sink.

If stdout or stderr leads to the journal, systemd sets $JOURNAL_STREAM to the device and inode of that stream. The
process may have been given other files since, or may have inherited the variable from a login shell. So the variable
is compared with what both descriptors are now, as systemd.exec(5) asks. The embedded overlord sets HAFTA_JOURNAL in the
same way (recorded.py).
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.journal.sink import Sink

INVOCATION = 32  # hex digits of the run of a unit
_HEX = frozenset("0123456789abcdef")


def choose_sink(
    environ: Mapping[str, str],
    identifier: str = "",
    about: dict[str, str] | None = None,
    *,
    stderr: int = 2,
    stdout: int = 1,
) -> Sink:
    """Return the journal if stderr or stdout leads there; else Python's logging if the program uses it; else stderr.

    The choice between the last two is made at each event (logs.py). `identifier` is what the journal calls
    SYSLOG_IDENTIFIER: the program's name, unless given. `about` are fields that each entry gets, now and later: the
    run of the unit is added to them. journald itself knows the run of a process only while the process lives.
    """
    identifier = identifier or _program()
    about = {} if about is None else about
    invocation = environ.get("INVOCATION_ID", "")
    if len(invocation) == INVOCATION and _HEX.issuperset(invocation):
        about["HAFTA_INVOCATION"] = invocation
    stream = environ.get("JOURNAL_STREAM", "")
    if stream and stream in {_identity(stderr), _identity(stdout)}:
        from hafta.journal.journald import JournaldSink

        return JournaldSink(identifier, about=about)
    from hafta.journal.logs import LogSink
    from hafta.journal.output import Output
    from hafta.journal.terminal import TerminalSink, wants_colour

    colour = os.isatty(stderr) and wants_colour(environ)
    lines = LogSink(identifier, TerminalSink(identifier, Output(stderr), colour=colour), about)
    stream, _, path = environ.get("HAFTA_JOURNAL", "").partition(":/")
    if path and stream in {_identity(stderr), _identity(stdout)}:
        from hafta.journal.journald import JournaldSink
        from hafta.journal.recorded import RecordedSink

        return RecordedSink(lines, JournaldSink(identifier, f"/{path}", about=about))
    return lines


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
