"""Reading the journal's native protocol: what hafta/journal/wire.py writes, and what anybody else sends.

https://systemd.io/JOURNAL_NATIVE_PROTOCOL/: as journald does, fields that are not named by the rules are left out, and
so are all whose names begin with `_`: those are for the receiver to say. An empty line ends an entry.
"""

from __future__ import annotations

from hafta.eventlog.format import value_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ENTRY_MAX = 768 * 1024  # bytes of an entry; with more it is not taken
FIELDS = 1024  # of an entry; further ones are left out
ENTRIES = 64  # of a datagram; further ones are left out
NAME_MAX = 64
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_SIZE = 8


def parse(data: bytes) -> list[dict[str, Any]]:
    """Return the entries of a datagram; of what breaks the protocol, what came before. Values as a line has them."""
    found: list[dict[str, Any]] = []
    entry: dict[str, Any] = {}
    at = 0
    while at < len(data) and len(found) < ENTRIES:
        end = data.find(b"\n", at)
        line = data[at:] if end < 0 else data[at:end]
        at = len(data) if end < 0 else end + 1
        if not line:
            found += [entry] if entry else []
            entry = {}
            continue
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(data[at : at + _SIZE], "little")
            begin = at + _SIZE
            if begin + size >= len(data) + 1 or data[begin + size : begin + size + 1] not in {b"\n", b""}:
                break
            value, at = data[begin : begin + size], begin + size + 1
        if _is_taken(name) and len(entry) < FIELDS:
            _add(entry, name.decode(), value_of(value))
    return [*found, entry] if entry and len(found) < ENTRIES else found


def _is_taken(name: bytes) -> bool:
    return 0 < len(name) <= NAME_MAX and name[:1].isalpha() and _LETTERS.issuperset(name)


def _add(entry: dict[str, Any], name: str, value: str | list[int]) -> None:
    """Add a value; the second one of a field makes a list of them."""
    if name not in entry:
        entry[name] = value
    elif isinstance(entry[name], list) and entry[name] and not isinstance(entry[name][0], int):
        entry[name].append(value)
    else:
        entry[name] = [entry[name], value]
