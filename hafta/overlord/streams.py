"""Where the standard streams of a child lead, if not to the overlord: steps that are prepared before the fork."""

from __future__ import annotations

import os
from functools import partial

from hafta.process.opening import open_safely

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.overlord.attributes import Step
    from hafta.units.streams import Standard, Stream
    from hafta.units.unit import Unit

#: Exit statuses: systemd.exec(5), "Process Exit Codes".
STDIN, STDOUT, STDERR = 208, 209, 222
_TO_US = frozenset(("", "journal", "socket"))  # a socket is put in its place by passing.py
_PLAIN = _TO_US | {"inherit"}
_FLAGS = {"file": 0, "append": os.O_APPEND, "truncate": os.O_TRUNC}


def failures(unit: Unit) -> dict[int, str]:
    """Return what could not be done, by exit status."""
    kinds = {STDIN: ("Input", unit.standard.input), STDOUT: ("Output", unit.standard.output)}
    kinds[STDERR] = ("Error", unit.standard.error)
    return {status: f"cannot open Standard{kind}={stream.text}" for status, (kind, stream) in kinds.items()}


def steps_of(standard: Standard, umask: int) -> tuple[Step, ...]:
    """Return what a child does with its streams, which all lead to the overlord, but for the first, to /dev/null."""
    given, output, error = standard.input, standard.output, standard.error
    if given.kind != "file" and output.kind in _PLAIN and error.kind in _PLAIN:
        return ()
    found: list[Step] = []
    is_read = given.kind == "file"
    if is_read:
        access = os.O_RDWR if given.path in {_file(output), _file(error)} else os.O_RDONLY
        found.append((STDIN, partial(_open_as, 0, given.path, access, umask)))
    if is_read and output.kind in {"file", "inherit"} and output.path in {"", given.path}:
        found.append((STDOUT, partial(os.dup2, 0, 1)))
    elif output.kind not in _PLAIN:
        found.append((STDOUT, _opening(1, output, umask)))
    inherits = error.kind in {"", "inherit"} or (error == output and error.kind not in _TO_US)
    if inherits and found and found[-1][0] == STDOUT:
        found.append((STDERR, partial(os.dup2, 1, 2)))
    elif is_read and _file(error) == given.path:
        found.append((STDERR, partial(os.dup2, 0, 2)))
    elif error.kind not in _PLAIN:
        found.append((STDERR, _opening(2, error, umask)))
    return tuple(found)


def _file(stream: Stream) -> str | None:
    return stream.path if stream.kind == "file" else None


def _opening(fd: int, stream: Stream, umask: int) -> partial[None]:
    flags = os.O_WRONLY | _FLAGS.get(stream.kind, 0)
    return partial(_open_as, fd, stream.path or os.devnull, flags, umask)


def _open_as(fd: int, path: str, flags: int, umask: int) -> None:
    """Open a file as a standard stream; one that is to be written to is made if it is not there. Raises OSError."""
    create = 0 if flags & os.O_ACCMODE == os.O_RDONLY else os.O_CREAT
    before = os.umask(umask)
    try:
        opened = open_safely(path, flags | create | os.O_NOCTTY | os.O_CLOEXEC, 0o666)
    finally:
        os.umask(before)
    os.dup2(opened, fd)
    os.close(opened)
