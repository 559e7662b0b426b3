"""The journal's native protocol: one entry as one datagram.

https://systemd.io/JOURNAL_NATIVE_PROTOCOL/: fields follow each other, each `NAME=value` and a newline. A value that
contains a newline is sent as NAME, newline, its length in bytes as a little-endian 64-bit number, the value, newline.
Names consist of A-Z, 0-9 and underscore, begin with a letter, and are at most 64 characters long. The journal silently
leaves out a field that breaks this, so hafta.journal.event refuses such names.
"""

from __future__ import annotations

from hafta.journal.entry import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

VALUE_MAX = 32_768  # characters; a longer value is cut, and the entry says so


def encode(fields: Mapping[str, str]) -> bytes:
    """Return the datagram."""
    return b"".join([_field(name.encode(), printable(_cut(value)).encode()) for name, value in fields.items()])


def _field(name: bytes, value: bytes) -> bytes:
    if b"\n" in value:
        return b"%b\n%b%b\n" % (name, len(value).to_bytes(8, "little"), value)
    return b"%b=%b\n" % (name, value)


def _cut(value: str) -> str:
    if len(value) <= VALUE_MAX:
        return value
    return f"{value[:VALUE_MAX]}... ({len(value) - VALUE_MAX} characters cut)"
