"""The format of the event log: names of files, and one entry as one line of JSON.

A line is what `journalctl -o json` prints for an entry: an object of texts. A value that is not UTF-8 is a list of
bytes, a field that an entry has several times is a list of values. Times are microseconds, as texts.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

VERSION = "1"
FOLDER = "hafta-overlord/events"  # below %S
ALIVE = "alive"
LOCK = "lock"
#: The two rows of files: what counts, and what services print. So a service that prints a lot takes no history away.
EVENTS, OUTPUT = "events", "output"
DIGITS = 8
SUFFIX = ".jsonl"
LINE_MAX = 1024 * 1024  # bytes: what is longer was not written by us

REALTIME, MONOTONIC, BOOT = "__REALTIME_TIMESTAMP", "__MONOTONIC_TIMESTAMP", "_BOOT_ID"
TRANSPORT = "_TRANSPORT"
OWN, NATIVE, STDOUT = "driver", "journal", "stdout"  # _TRANSPORT: the overlord itself, a datagram, a line
DAMAGED = "damaged"  # MESSAGE_ID of what a reader makes of a line that cannot be read
LAST = "HAFTA_LAST"  # of `overlord-started`: the last sign of life of the overlord before, as a line
LOG = "_HAFTA_LOG"  # added by a reader: from which directory an entry of an overlord is
NUMBER = 18  # digits of a number that is read

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def file_name(row: str, number: int) -> str:
    """Return the name of a file."""
    return f"{row}-{number:0{DIGITS}d}{SUFFIX}"


def number_of(row: str, name: str) -> int | None:
    """Return the number of a file of this row; None: it is not one."""
    digits = name.removeprefix(f"{row}-").removesuffix(SUFFIX)
    is_number = digits.isascii() and digits.isdigit() and DIGITS <= len(digits) <= NUMBER
    return int(digits) if is_number and name == file_name(row, int(digits)) else None


def encode(fields: Mapping[str, Any]) -> bytes:
    """Return the line of an entry."""
    return _encode(fields).encode("utf-8", "backslashreplace") + b"\n"


def value_of(data: bytes) -> str | list[int]:
    """Return the value of a field as a line has it."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return list(data)


def decode(line: bytes) -> dict[str, str] | None:
    """Return the fields of a line, of each the first value; None: it is not an entry."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    fields = {name: _text(value) for name, value in found.items() if name.isascii()}
    is_dated = all(_is_number(fields.get(name)) for name in (REALTIME, MONOTONIC)) and BOOT in fields
    return fields if is_dated else None


def _text(value: object) -> str:
    if isinstance(value, list) and value and not _is_bytes(value):
        value = value[0]
    if isinstance(value, list) and _is_bytes(value):
        return bytes(value).decode(errors="replace")
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()  # no lone surrogates


def _is_bytes(values: list[Any]) -> bool:
    return all(isinstance(byte, int) and 0 <= byte < 256 for byte in values)


def _is_number(text: str | None) -> bool:
    return text is not None and 0 < len(text) <= NUMBER and text.isascii() and text.isdigit()
