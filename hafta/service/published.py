"""What a service says about itself to those who look (`hafta status`), in its runtime directory.

1. `NAME.hafta`, after READY: what it is. JSON, replaced in one step, for everybody to read.
2. `NAME-SEQUENCE.graph`: how each of its sequences goes (graphs.py).
3. `NAME.board`, twice a second at most, whenever its work moves on: where its calls stand. Without checkpoints nothing
   else says that. It is a sample: so a node that succeeds costs nothing more, and what has happened since is not in it.

A board is SIZE bytes, written by one pwrite(2): a line with the length and the CRC-32 of what follows; the moment
(CLOCK_MONOTONIC, microseconds) and the process; a line for each call, the outermost first, with tabs between its
fields. A reader that comes in the middle of a write sees that from the CRC, and reads again.

All are only for those who look: if one cannot be made, the service works on, and STATUS says where it is. They
stay when the process dies, as long as the directory does.
"""

from __future__ import annotations

import os
import sys
import time

from hafta.directories import first

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from hafta.engine.shape import Shape

SIZE = 1024
MAGIC = "haftabd1"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Published:
    """The two files of one service. Without a runtime directory there are none."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        directory = first(environ.get("RUNTIME_DIRECTORY", ""))
        self._path = os.path.join(directory, name) if directory else ""
        self._board = -1
        self._facts: dict[str, str | int | list[str]] = {"version": 1, "program": name}
        mark = environ.get("HAFTA_OVERLORD", "")  # of the embedded overlord: IDENTITY/UNIT
        self._facts["unit"] = mark.partition("/")[2]
        self._facts["invocation"] = environ.get("INVOCATION_ID", "")

    def note(self, **facts: str | int | list[str]) -> None:
        """Note what else is to be said."""
        self._facts.update(facts)

    def announce(self) -> None:
        """Write what the service is."""
        if not self._path:
            return
        from hafta.stores.holder import unit
        from hafta.version import VERSION

        unit_name = self._facts["unit"] or unit()
        facts = {**self._facts, "unit": unit_name, "pid": os.getpid(), "hafta": VERSION}
        new = f"{self._path}.hafta.{os.getpid()}.new"
        if not _done(lambda: put(new, f"{self._path}.hafta", as_json(facts).encode())):
            _done(lambda: os.unlink(new))
        _done(self._open)

    def draw(self, shape: Shape[Any]) -> None:
        """Write how a sequence goes, once for each version of its code (graphs.py)."""
        if self._path:
            from hafta.service.graphs import publish

            try:
                publish(self._path, shape, put)
            except Exception:  # a function may be anything that can be called: a proxy, a mock
                return

    def _open(self) -> None:
        self._close()
        self._board = os.open(f"{self._path}.board", _FLAGS, 0o644)
        os.fchmod(self._board, 0o644)

    def _close(self) -> None:
        board, self._board = self._board, -1
        if board >= 0:
            os.close(board)

    def show(self, calls: Iterable[Callable[[], str]]) -> None:
        """Write where the calls stand: `calls` are what describes them."""
        if self._board < 0:
            return
        lines = [f"{time.monotonic_ns() // 1000}\t{os.getpid()}", *filter(None, map(_line_of, calls))]
        try:
            os.pwrite(self._board, board("\n".join(lines)), 0)
        except OSError:
            return

    def disown(self) -> None:
        """Write nothing more: this is a forked child, not the service."""
        self._path = ""
        self._close()


def board(text: str) -> bytes:
    """Return the bytes of a board that says this, as much of it as fits."""
    from binascii import crc32

    data = text.encode(errors="replace")[: SIZE - 32]
    return f"{MAGIC} {len(data)} {crc32(data):08x}\n".encode().ljust(32) + data.ljust(SIZE - 32)


def as_json(facts: Mapping[str, str | int | list[str]]) -> str:
    """Return them as JSON; the module of that name costs as much as a third of a start."""
    items = [f"{_quoted(name)}: {_value(value)}" for name, value in facts.items()]
    return "{" + ", ".join(items) + "}\n"


def _value(value: str | int | list[str]) -> str:
    if isinstance(value, int):
        return str(value)
    return f"[{', '.join(map(_quoted, value))}]" if isinstance(value, list) else _quoted(value)


def _quoted(text: str) -> str:
    def escaped(char: str) -> str:
        return f"\\u{ord(char):04x}" if char in '"\\' or ord(char) < 0x20 or 0xD800 <= ord(char) < 0xE000 else char

    return f'"{"".join(map(escaped, text))}"'


def _done(step: Callable[[], object]) -> bool:
    """Do something that may fail; contextlib would cost each start of a service."""
    try:
        step()
    except OSError:
        return False
    return True


def put(new: str, path: str, data: bytes) -> None:
    """Replace a file in one step; `new` is its name until then. Raises OSError."""
    _write_anew(new, data)
    os.rename(new, path)


def _write_anew(path: str, data: bytes) -> None:
    """Write a file that nobody reads yet. Raises OSError, also if only a part of it fits on the disk."""
    fd = os.open(path, _FLAGS | os.O_TRUNC, 0o644)
    try:
        os.fchmod(fd, 0o644)  # whatever the umask
        while data:
            data = data[os.write(fd, data) :]
    finally:
        os.close(fd)


def _line_of(describe: Callable[[], str]) -> str:
    """Return the line of a call: sequence, node, phase, checkpoint, its name, failures in a row, in all, since when."""
    calls: Any = sys.modules.get("hafta.drivers.conductor")  # not imported here: then there are no calls
    conductor = getattr(describe, "__self__", None)
    if calls is None or not isinstance(conductor, calls.Conductor) or conductor.machine.node is None:
        return ""  # not a call: a service that is written without a sequence describes itself
    machine = conductor.machine
    checkpoint = machine.mark[0]
    since = "" if machine.since is None else str(int(machine.since * 1_000_000))
    fields = (
        conductor.shape.name, machine.node.name, machine.phase.name.lower(), str(int(checkpoint)),
        getattr(checkpoint, "name", ""), str(machine.attempt), str(machine.failed), since,
    )  # fmt: skip
    return "\t".join(" ".join(field.split()) for field in map(str, fields))
