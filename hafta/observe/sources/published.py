"""What services say about themselves in their runtime directories: NAME.hafta and NAME.board (service/published.py).

A file belongs to root, to us, or to the owner of its directory; a link is not followed; a board belongs to the owner of
its description, or to root. The owner of a directory below /run may write there what he likes: so names and numbers
are checked here, and what a file says of a unit is only used if its owner may speak of that unit (trust.py).
"""

from __future__ import annotations

import json
import os
import stat
from binascii import crc32

from hafta.frozen import Frozen
from hafta.observe.graph import parse as parse_graph
from hafta.observe.sources.places import children
from hafta.observe.sources.trust import ROOT, is_unit
from hafta.units.roots import CONTROL, roots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from hafta.observe.graph import Graph

SUFFIX = ".hafta"
BOARD = ".board"
GRAPH = ".graph"
MAGIC = "haftabd1"
MOST = 64 << 10  # bytes of a file
TRIES = 3  # a reader may come in the middle of a write
FIELDS = 8  # of a call
DIGITS = 18  # of a number


class Call(Frozen):
    """Where one call stood at the moment of the board."""

    sequence: str
    node: str
    doing: str  # normal, rollback, unwind, ask, ...
    checkpoint: int
    checkpoint_name: str
    attempt: int  # failures of the node in a row
    failures: int  # of the call, in all
    since: int | None  # microseconds, monotonic


class Board(Frozen):
    """Where a process stood, and when: microseconds, monotonic."""

    moment: int
    pid: int
    calls: tuple[Call, ...]


class Published(Frozen):
    """One service, as it describes itself."""

    path: str
    program: str
    unit: str
    invocation: str
    pid: int
    sequences: tuple[str, ...] = ()
    records: str = ""
    level: str = ""
    instance: str = ""
    hafta: str = ""
    board: Board | None = None
    owner: int = ROOT  # of the file


def find(environ: Mapping[str, str]) -> list[Published]:
    """Return what services of this machine and this user say about themselves."""
    mine = roots(environ, environ.get("HAFTA_RUNTIME_DIR", "")).runtime
    own = environ.get("XDG_RUNTIME_DIR", "")
    shared = os.path.dirname(mine) if os.path.basename(mine) == CONTROL else ""  # with other services; never / or /tmp
    above = dict.fromkeys(filter(None, ("/run", "/run/private", own, shared, mine)))
    below = dict.fromkeys(path for parent in above for path in children(parent))
    deeper = dict.fromkeys(path for parent in below for path in children(parent))
    seen: dict[tuple[int, int], Published] = {}
    for directory in (*below, *deeper):
        for key, found in _in(directory):
            seen.setdefault(key, found)
    return sorted(seen.values(), key=lambda found: (found.unit, found.path))


def _in(directory: str) -> Iterator[tuple[tuple[int, int], Published]]:
    try:
        names = [name for name in os.listdir(directory) if name.endswith(SUFFIX)]
        owner = os.stat(directory).st_uid
    except OSError:
        return
    for name in sorted(names):
        path = os.path.join(directory, name)
        got = _read(path, {ROOT, os.geteuid(), owner})
        found = got and parse(path, got[2])
        if got and found:
            board = _board_of(f"{path.removesuffix(SUFFIX)}{BOARD}", {ROOT, got[1]})
            yield got[0], found.replace(board=board, owner=got[1])


def graphs_of(found: Published) -> Iterator[Graph]:
    """Give how the sequences of a service go, as far as it says so."""
    for sequence in found.sequences:
        if "/" not in sequence and "\0" not in sequence:
            got = _read(f"{found.path.removesuffix(SUFFIX)}-{sequence}{GRAPH}", {ROOT, found.owner})
            if got and (graph := parse_graph(got[2])):
                yield graph


def parse(path: str, data: bytes) -> Published | None:
    """Return what such a file says; None for one that is not understood."""
    try:
        facts = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(facts, dict) or facts.get("version") != 1:
        return None
    sequences = facts.get("sequences", [])
    texts = [facts.get(name, "") for name in ("program", "unit", "invocation", "records", "level", "instance", "hafta")]
    pid = facts.get("pid", 0)
    if not all(isinstance(text, str) for text in (*texts, *(sequences if isinstance(sequences, list) else [None]))):
        return None
    if type(pid) is not int or not 0 <= pid < 10**DIGITS:
        return None
    program, unit, invocation, records, level, instance, hafta = texts
    if unit and not is_unit(unit):
        return None
    return Published(path, program, unit, invocation, pid, tuple(sequences), records, level, instance, hafta)


def _board_of(path: str, owners: set[int]) -> Board | None:
    for _ in range(TRIES):
        got = _read(path, owners)
        if got is None or not got[2]:
            return None
        if board := parse_board(got[2]):
            return board
    return None


def parse_board(data: bytes) -> Board | None:
    """Return what a board says; None for one that is torn, or not understood."""
    try:
        head, _, rest = data.partition(b"\n")
        magic, length, check = head.decode("ascii").split()
        size = _whole(length)
        text = data[32 : 32 + size]
        if magic != MAGIC or crc32(text) != int(check, 16) or len(rest) < size:
            return None
        first, *lines = text.decode(errors="replace").split("\n")
        moment, pid = map(_whole, first.split("\t"))
        return Board(moment, pid, tuple(filter(None, map(_call, lines))))
    except ValueError:
        return None


def _call(line: str) -> Call | None:
    fields = line.split("\t")
    if len(fields) != FIELDS:
        return None  # what did not fit has been cut off
    sequence, node, doing, checkpoint, name, attempt, failures, since = fields
    try:
        number = -_whole(checkpoint[1:]) if checkpoint.startswith("-") else _whole(checkpoint)
        entered = _whole(since) if since else None
        return Call(sequence, node, doing, number, name, _whole(attempt), _whole(failures), entered)
    except ValueError:
        return None


def _whole(text: str) -> int:
    """Return the whole number that a text is, of at most DIGITS digits. Raises ValueError."""
    if not text.isascii() or not text.isdigit() or len(text) > DIGITS:
        raise ValueError(text)
    return int(text)


def _read(path: str, owners: set[int]) -> tuple[tuple[int, int], int, bytes] | None:
    """Return which file it is, its owner and its bytes; None if it is of none of these, or cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        info: Any = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_uid not in owners:
            return None
        if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or info.st_size > MOST:
            return None
        return (info.st_dev, info.st_ino), info.st_uid, os.read(fd, MOST)
    except OSError:
        return None
    finally:
        os.close(fd)
